# The service:              docker build --tag moderation-consumer .
# With emulator and demo:   docker build --target demo --tag moderation-consumer:demo .

# The Python that the tests run on. A tag can be moved: name the image by its digest where that is known, best in a
# registry of your own, --build-arg BASE=registry.example.com/python@sha256:…
ARG BASE=python:3.11.14-slim-bookworm
FROM ${BASE} AS base

# Everything that is installed has its hash in locks/, the builder of our own package included. Wheels only: nothing is
# compiled here. pip is the builder's: the service's environment has none.
FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
WORKDIR /build
RUN python -m venv /opt/build && python -m venv --without-pip /opt/venv
COPY locks/build.txt locks/images.txt locks/otel.txt locks/stores.txt locks/
RUN /opt/build/bin/pip install -r locks/build.txt && \
    /opt/build/bin/pip --python /opt/venv/bin/python install \
        -r locks/images.txt -r locks/otel.txt -r locks/stores.txt
COPY pyproject.toml README.md LICENSE ./
COPY consumer consumer
COPY config config
# Our own wheel is made here, so no lock can have its hash. Nothing is fetched for it.
RUN PIP_REQUIRE_HASHES=0 /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . && \
    PIP_REQUIRE_HASHES=0 /opt/build/bin/pip --python /opt/venv/bin/python install --no-index --no-deps dist/*.whl

FROM build AS build-demo
COPY locks/demo.txt locks/
RUN /opt/build/bin/pip --python /opt/venv/bin/python install -r locks/demo.txt

# Runs as nobody in particular, and on a read-only file system: it writes no file, not even bytecode. It installs nothing
# either: pip goes, with what came along and what could bring it back.
FROM base AS runtime
RUN python -m pip uninstall --yes --quiet pip setuptools wheel && \
    rm -r "$(python -c 'import ensurepip; print(ensurepip.__path__[0])')"
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY config/consumer.yaml config/policy.yaml /etc/moderation-consumer/
USER 10001:10001
EXPOSE 8080 9464
ENTRYPOINT ["moderation-consumer"]
CMD ["run", "--config", "/etc/moderation-consumer/consumer.yaml"]

FROM runtime AS demo
COPY --from=build-demo /opt/venv /opt/venv
COPY examples /examples

FROM runtime AS service
COPY --from=build /opt/venv /opt/venv
