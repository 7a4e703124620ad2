# The service:              docker build --tag moderation-consumer .
# With emulator and demo:   docker build --target demo --tag moderation-consumer:demo .

# Of the Python that the tests run on. Pin it by digest (…@sha256:…) in a registry of your own, where the digest is known.
FROM python:3.11.14-slim-bookworm AS base

# Everything that is installed has its hash in locks/, the builder of our own package included. Wheels only: nothing is
# compiled here.
FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
WORKDIR /build
RUN python -m venv /opt/build /opt/venv
COPY locks/build.txt locks/otel.txt locks/
RUN /opt/build/bin/pip install -r locks/build.txt && /opt/venv/bin/pip install -r locks/otel.txt
COPY pyproject.toml README.md LICENSE ./
COPY consumer consumer
COPY config config
RUN PIP_REQUIRE_HASHES=0 /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . && \
    PIP_REQUIRE_HASHES=0 /opt/venv/bin/pip install --no-deps dist/*.whl

FROM build AS build-demo
COPY locks/demo.txt locks/
RUN /opt/venv/bin/pip install -r locks/demo.txt

# Runs as nobody in particular, and on a read-only file system: it writes no file, not even bytecode.
FROM base AS runtime
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
