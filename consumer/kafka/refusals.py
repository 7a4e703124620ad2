"""Why no broker accepts us, as one sentence for an operator: what is wrong, and what to do. Opens no sockets."""

import ssl
from typing import NamedTuple

from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from consumer.config.kafka import KafkaSecurity

_HOSTNAME_MISMATCH, _IP_MISMATCH = 62, 64  # OpenSSL's X509_V_ERR_…


class Refusal(NamedTuple):
    """Why a connection failed. `lasting`: an operator must change something; otherwise the broker is only away."""

    reason: str
    lasting: bool


def explain(error: BaseException, security: KafkaSecurity) -> Refusal:
    """
    Name what is wrong and where to correct it. Nothing of a secret, or of a broker's answer about one, is shown.

    aiokafka 0.14 raises what the socket, TLS or the broker said, or `KafkaConnectionError` caused by it.
    """
    known = _refused(error, security)
    if known is None and error.__cause__ is not None:
        known = _refused(error.__cause__, security)
    if known is not None:
        return Refusal(known, lasting=True)
    if isinstance(error, KafkaError | ConnectionResetError | BrokenPipeError | EOFError):
        return Refusal(_closed(security), lasting=False)
    return Refusal(
        f"no connection ({type(error).__name__}): check that a broker listens there, and kafka.bootstrap_servers",
        lasting=False,
    )


def _refused(error: BaseException, security: KafkaSecurity) -> str | None:
    if isinstance(error, AuthenticationFailedError):
        return str(error.args[0])  # `TokenFile`'s own words
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"the listener does not offer {security.sasl.mechanism}: see kafka.security.sasl.mechanism"
    if isinstance(error, IllegalSaslStateError):
        if security.sasl.mechanism == "OAUTHBEARER":
            return _identity_refused(security)
        return f"the listener uses no SASL, or another mechanism: see kafka.security.protocol, now {security.protocol}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_not_trusted(error, security)
    if isinstance(error, ssl.SSLError):
        return _handshake_failed(error, security)
    if isinstance(error, SaslAuthenticationFailed | ValueError | AssertionError):  # the broker knows no such secret
        return _identity_refused(security)
    return None


def _closed(security: KafkaSecurity) -> str:
    said = (
        "the connection was closed before a broker answered: it may be starting, or its listener uses another "
        f"protocol than kafka.security.protocol {security.protocol}"
    )
    if not security.uses_tls:
        return said
    # With TLS 1.3 a certificate is refused after the handshake, and the alert that says so may be lost on the way.
    return f"{said}, or {_about_our_certificate(security)}"


def _identity_refused(security: KafkaSecurity) -> str:
    sasl = security.sasl
    if sasl.mechanism == "OAUTHBEARER":
        return f"the broker refuses the token in {sasl.token_file}: it may have expired or be for another audience"
    where = sasl.password_file or "MODERATION__KAFKA__SECURITY__SASL__PASSWORD"
    return (
        f"the broker refuses user {sasl.username!r} or its {sasl.mechanism} password: put the password of the broker's "
        f"user into {where}"
    )


def _certificate_not_trusted(error: ssl.SSLCertVerificationError, security: KafkaSecurity) -> str:
    if error.verify_code in (_HOSTNAME_MISMATCH, _IP_MISMATCH):
        return (
            f"the broker's certificate is for another host ({error.verify_message}): use a name that the certificate "
            "has, in kafka.bootstrap_servers or the brokers' advertised.listeners"
        )
    trusted = security.tls.ca_file or "the system's authorities"
    return (
        f"the broker's certificate is not trusted ({error.verify_message}): name the authority that issued it in "
        f"kafka.security.tls.ca_file; trusted now: {trusted}"
    )


def _handshake_failed(error: ssl.SSLError, security: KafkaSecurity) -> str:
    said = (error.reason or "no reason given").lower().replace("_", " ")
    if "alert" not in said:
        return f"TLS with the listener failed ({said}): see whether it uses kafka.security.protocol {security.protocol}"
    return f"the broker ended the TLS handshake ({said}): {_about_our_certificate(security)}"


def _about_our_certificate(security: KafkaSecurity) -> str:
    shown = security.tls.certificate_file
    if shown is None:
        return "it may ask for a certificate, which is kafka.security.tls.certificate_file and key_file"
    return f"it may not trust the certificate in {shown}, or that has expired"
