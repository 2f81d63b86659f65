# syntax=docker/dockerfile:1
# docker build --target agent .      the agent: one static binary
# docker build --target collector .  the collector: DuckDB inside, so glibc

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN make bin/agent bin/collector VERSION="$VERSION" \
	&& install -d -o 65532 -g 65532 /var/lib/firstframe

FROM gcr.io/distroless/static-debian12:nonroot AS agent
COPY --from=build /src/bin/agent /usr/bin/agent
COPY --from=build --chown=65532:65532 /var/lib/firstframe /var/lib/firstframe
VOLUME /var/lib/firstframe
ENTRYPOINT ["/usr/bin/agent"]
CMD ["--help"]

FROM gcr.io/distroless/cc-debian12:nonroot AS collector
COPY --from=build /src/bin/collector /usr/bin/collector
COPY --from=build --chown=65532:65532 /var/lib/firstframe /var/lib/firstframe
VOLUME /var/lib/firstframe
EXPOSE 8480 4318 4317
ENTRYPOINT ["/usr/bin/collector"]
CMD ["serve", "--data", "/var/lib/firstframe"]
