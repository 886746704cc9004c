# Every program of the cluster: Vitess, built as install/go.mod pins it, and MySQL and etcd, as Debian sid has them. Each
# container of compose.yaml runs one of them.

FROM docker.io/library/golang:1.26 AS vitess
WORKDIR /src
COPY vitess/install/go.mod vitess/install/go.sum ./
RUN GOBIN=/out GOFLAGS=-mod=readonly CGO_ENABLED=0 go install -trimpath -ldflags="-s -w" tool

FROM docker.io/library/debian:sid-slim
# Another source of Debian's packages, such as a snapshot of one day: its signature is good for ever, its date for a week.
ARG DEBIAN=
RUN if [ -n "$DEBIAN" ]; then \
      rm -f /etc/apt/sources.list.d/* \
      && echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $DEBIAN sid main" > /etc/apt/sources.list; \
    fi \
 && apt-get -o Acquire::Check-Valid-Until=false update \
 && apt-get install --yes --no-install-recommends etcd-server mysql-client-core mysql-server-core \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=vitess /out/ /usr/local/bin/
COPY vitess/containers/start-mysqld vitess/containers/run-tablet vitess/containers/run-vtgate /usr/local/bin/
COPY vitess/containers/extra.cnf /etc/vitess-kv/extra.cnf
RUN useradd --uid 10001 --create-home vitess && mkdir -p /vt/backups && chown -R vitess /vt
ENV VTDATAROOT=/vt EXTRA_MY_CNF=/etc/vitess-kv/extra.cnf
USER 10001
