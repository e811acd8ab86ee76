# One image for every service and for the command line: `docker build -t atelier .`, then `docker run atelier serve profile`.
FROM ghcr.io/astral-sh/uv:0.11.13 AS uv

FROM python:3.11.16-slim-trixie AS build
COPY --from=uv /uv /usr/local/bin/uv
# What is installed is what uv.lock says, by its hashes, compiled once here since the root is read-only later.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_PROGRESS=1 \
    UV_PROJECT_ENVIRONMENT=/opt/atelier \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /source
COPY pyproject.toml uv.lock ./
COPY libs libs
COPY services services
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev --no-editable

FROM python:3.11.16-slim-trixie
# The running image installs nothing any more.
RUN python -m pip uninstall --yes --quiet pip \
    && groupadd --system --gid 10001 atelier \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin atelier \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/atelier /opt/atelier
ENV PATH=/opt/atelier/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ATELIER_DATA=/data \
    ATELIER_KEYS=/run/secrets \
    ATELIER_HTTP=0.0.0.0:8080 \
    ATELIER_GRPC=0.0.0.0:9090
USER 10001:10001
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
ENTRYPOINT ["atelier"]
CMD ["--help"]
