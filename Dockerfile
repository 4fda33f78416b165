# syntax=docker/dockerfile:1
# The one binary in a small image. `docker compose up` builds it; see docs/operating.md.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches speed up the next build and do not end up in the image, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package homestretch \
 && cp target/release/homestretch /usr/local/bin/homestretch

FROM debian:bookworm-slim
# pg_dump and pg_restore, for `homestretch backup` and `restore`: as new as the server in docker-compose.yml, or they refuse to speak to it.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates postgresql-common \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install -y --no-install-recommends postgresql-client-17 \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/homestretch --create-home --shell /usr/sbin/nologin homestretch
COPY --from=build /usr/local/bin/homestretch /usr/local/bin/homestretch
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/homestretch/
USER homestretch
WORKDIR /var/lib/homestretch
# Templates, styles, words, migrations, time zones and the certificate authorities are inside the binary.
ENV HOMESTRETCH_BIND=0.0.0.0:8080 \
    HOMESTRETCH_DATA=/var/lib/homestretch
EXPOSE 8080
ENTRYPOINT ["homestretch"]
CMD ["serve"]
