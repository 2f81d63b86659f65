# syntax=docker/dockerfile:1
# docker build --target agent .      the agent: one static binary
# docker build --target collector .  the collector: DuckDB inside, so glibc
# docker build --target lab .        the lab with its agents, for deploy/compose.yaml

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN make build VERSION="$VERSION" \
	&& install -d -o 65532 -g 65532 /var/lib/firstframe /var/lib/lab

# Its wget is for health checks; distroless images have nothing to ask with.
FROM busybox:1.37-musl AS tools

FROM gcr.io/distroless/static-debian12:nonroot AS agent
COPY --from=build /src/bin/agent /usr/bin/agent
COPY --from=build --chown=65532:65532 /var/lib/firstframe /var/lib/firstframe
VOLUME /var/lib/firstframe
ENTRYPOINT ["/usr/bin/agent"]
CMD ["--help"]

FROM gcr.io/distroless/static-debian12:nonroot AS lab
COPY --from=tools /bin/busybox /usr/bin/wget
COPY --from=build /src/bin/lab /src/bin/agent /usr/bin/
COPY --from=build --chown=65532:65532 /var/lib/lab /var/lib/lab
VOLUME /var/lib/lab
ENTRYPOINT ["/usr/bin/lab"]
CMD ["serve", "--agents"]

FROM gcr.io/distroless/cc-debian12:nonroot AS collector
COPY --from=tools /bin/busybox /usr/bin/wget
COPY --from=build /src/bin/collector /usr/bin/collector
COPY --from=build --chown=65532:65532 /var/lib/firstframe /var/lib/firstframe
VOLUME /var/lib/firstframe
EXPOSE 8480 4318 4317
ENTRYPOINT ["/usr/bin/collector"]
CMD ["serve", "--data", "/var/lib/firstframe"]
