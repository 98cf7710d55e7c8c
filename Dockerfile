# docker build --build-arg COMMIT=$(git rev-parse --short=12 HEAD) -t tertulia .
# docker run -p 127.0.0.1:8000:8000 -v tertulia:/data tertulia
FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
ARG COMMIT=
RUN TERTULIA_COMMIT=$COMMIT cargo build --release --locked

FROM debian:bookworm-slim
COPY --from=build /src/target/release/tertulia /usr/local/bin/tertulia
# Whom TLS to PostgreSQL and Redis trusts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin tertulia \
    && install --directory --owner=tertulia --group=tertulia --mode=700 /data
USER tertulia
VOLUME /data
ENV TERTULIA_DATA=/data TERTULIA_LISTEN=0.0.0.0:8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["tertulia", "health"]
ENTRYPOINT ["tertulia"]
