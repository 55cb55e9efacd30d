# UI, binary, and a runtime image with nothing else in it.
FROM node:20-bookworm-slim AS ui
WORKDIR /src
COPY admin/openapi.yaml admin/openapi.yaml
COPY web-admin web-admin
RUN cd web-admin && npm ci --no-audit --no-fund && npm run build

FROM golang:1.26-bookworm AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=ui /src/web-admin/dist web-admin/dist
RUN CGO_ENABLED=0 go build -trimpath -pgo=benchmarks/sluice.pgo -ldflags "-s -w -X main.version=$VERSION" -o /sluice ./cmd/sluice \
 && mkdir -p /var/lib/sluice

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /sluice /usr/bin/sluice
COPY --from=build --chown=65532:65532 /var/lib/sluice /var/lib/sluice
USER 65532:65532
ENV SLUICE_DATA_DIR=/var/lib/sluice
VOLUME /var/lib/sluice
EXPOSE 8080 9081
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["serve"]
