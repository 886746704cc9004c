# Stand-ins for the base images of vitess/containers, for a machine that reaches no registry of images: made of Debian's
# packages, the Node of this machine, and the Vitess that the launcher has built of the same go.mod.

# debian:sid-slim itself comes from debootstrap.
FROM docker.io/library/debian:sid-slim AS packages
RUN apt-get -o Acquire::Check-Valid-Until=false update

# golang:1.26, with a `go` that only knows the one command of cluster.Dockerfile, and copies what it would build.
FROM packages AS golang
COPY vitess /opt/vitess
RUN printf '#!/bin/sh\nset -e\n[ "$1 $4" = "install tool" ]\nmkdir -p "$GOBIN"\ncp /opt/vitess/* "$GOBIN"\n' > /usr/local/bin/go && chmod +x /usr/local/bin/go

# node:24-slim
FROM packages AS node
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt

# haproxy:3.2
FROM packages AS haproxy
RUN apt-get install --yes --no-install-recommends haproxy
USER haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]

# distroless/cc: the C and C++ libraries and certificates of authorities, and neither shell nor package manager.
FROM packages AS libraries
RUN mkdir /tmp/debs /root/image && cd /tmp/debs \
 && apt-get download libc6 libgcc-s1 libstdc++6 tzdata \
 && for each in *.deb; do dpkg-deb --extract "$each" /root/image; done \
 && rm -rf /root/image/usr/share/doc && mkdir -p /root/image/etc/ssl/certs /root/image/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /root/image/etc/ssl/certs/ \
 && for each in lib lib64; do [ -e /root/image/$each ] || ln -s usr/$each /root/image/$each; done \
 && echo 'nonroot:x:65532:65532::/:/none' > /root/image/etc/passwd
FROM scratch AS distroless
COPY --from=libraries /root/image /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 65532
