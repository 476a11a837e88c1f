# syntax=docker/dockerfile:1

FROM rust:1.95.0-slim-bookworm AS build
# The image has this toolchain and needs none of the components that rust-toolchain.toml adds.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked \
    && install -D target/release/pointsman /usr/local/bin/pointsman

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 pointsman \
    && useradd --system --uid 10001 --gid pointsman --no-create-home \
        --home-dir /var/lib/pointsman --shell /usr/sbin/nologin pointsman \
    && install -d -o pointsman -g pointsman -m 0750 /var/lib/pointsman
COPY --from=build /usr/local/bin/pointsman /usr/local/bin/pointsman
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/pointsman/
USER pointsman:pointsman
# A relative path to the ledger is taken from here.
WORKDIR /var/lib/pointsman
VOLUME /var/lib/pointsman
EXPOSE 8710
ENTRYPOINT ["pointsman"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["pointsman", "ready"]
CMD ["run", "--config", "/etc/pointsman/pointsman.toml"]
