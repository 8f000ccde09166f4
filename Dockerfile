# The daemon in a container. Two stages: the first has pip, the second has what pip made and nothing to make with.
#
#   docker build -t causeway .
#   docker run --read-only --tmpfs /tmp -p 7443:7443 \
#     -v /srv/causeway/conf:/etc/causeway:ro -v /srv/causeway/data:/var/lib/causeway causeway
#
# Probes speak gRPC health (grpc_health_v1) on the API's port: "live" answers while the process is sound, "ready"
# while it takes instructions, and each bank has a name of its own. There is no HEALTHCHECK: a probe needs a client
# certificate, which the orchestrator has and the image must not.
# Stop with SIGTERM and grant at least 30 s: drain_s is at most 20.

FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/causeway
WORKDIR /src
# The lock first, so that this layer lives as long as the dependencies do. Every file is checked against its hash.
COPY .ci/locks/run.lock .ci/locks/run.lock
RUN /opt/causeway/bin/pip install --require-hashes -r .ci/locks/run.lock
COPY pyproject.toml README.md ./
COPY protos protos
COPY gateway gateway
COPY adapters adapters
COPY loadtest loadtest
# Without build isolation and dependencies: nothing is fetched here that the lock does not name.
RUN /opt/causeway/bin/pip install --no-deps --no-build-isolation . \
 && /opt/causeway/bin/python -m compileall -q /opt/causeway/lib \
 && /opt/causeway/bin/pip uninstall -y pip

FROM python:3.12-slim
LABEL org.opencontainers.image.title="causeway" \
      org.opencontainers.image.description="Bank-direct payment gateway daemon"
# A fixed number, so that volumes can be prepared for it.
RUN groupadd --system --gid 10001 causeway \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin causeway \
 && install -d -o causeway -g causeway -m 0700 /var/lib/causeway \
 && install -d -m 0755 /etc/causeway
COPY --from=build /opt/causeway /opt/causeway
ENV PATH=/opt/causeway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONFAULTHANDLER=1
USER 10001:10001
WORKDIR /var/lib/causeway
# /var/lib/causeway: the store. One daemon at a time, on a local disk whose flushes are honest; no network file system.
# /etc/causeway: causeway.toml, banks/ and tls/, read only.
VOLUME ["/var/lib/causeway"]
# The API, gRPC over mutual TLS. In the container listen.tls.host must be "0.0.0.0".
EXPOSE 7443
STOPSIGNAL SIGTERM
ENTRYPOINT ["causeway"]
CMD ["serve", "--config", "/etc/causeway/causeway.toml"]
