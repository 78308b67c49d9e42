# What the stacks launch: the release binary, the C library it needs and the roots of trust, and nothing else. No shell, no
# package manager, no root.
#
#   docker buildx build --platform linux/arm64 --tag oort-streams .
#   docker buildx build --target sbom --output type=local,dest=. .
#
# The platform is the build argument: each is built on itself, natively or emulated.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# The manifest names the tests; cargo wants to see them, and builds none.
COPY tests/it/main.rs tests/it/main.rs
COPY src src
COPY detections detections
RUN cargo build --release --locked --no-default-features --features runtime
# The root of the image to be. The loader's path differs from one processor to another, so that it is asked for.
COPY docker/root.sh docker/root.sh
RUN docker/root.sh target/release/oort /image

# A list of what was built in, in CycloneDX.
FROM build AS bill
RUN cargo install cargo-cyclonedx --version 0.5.9 --locked \
 && cargo cyclonedx --format json --no-default-features --features runtime --override-filename sbom

FROM scratch AS sbom
COPY --from=bill /src/sbom.json /

FROM scratch
COPY --from=build /image /
# Nobody: the name that Kubernetes and Fargate's own images use for it.
USER 65532:65532
ENV OORT_LOG_FORMAT=json
ENTRYPOINT ["/oort"]
