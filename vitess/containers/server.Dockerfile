# The server: Bun, the production packages and `src`, on a base without a shell or a package manager.
#   docker build --file vitess/containers/server.Dockerfile --tag vitess-kv-server .

FROM docker.io/library/node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Bun comes as a package, once for each kind of processor: the image takes the one that fits.
RUN npm ci --omit=dev \
 && cp node_modules/bun/bin/bun.exe /usr/local/bin/bun \
 && rm -rf node_modules/bun node_modules/@oven node_modules/.bin

FROM gcr.io/distroless/cc-debian13:nonroot
WORKDIR /app
COPY --from=packages /usr/local/bin/bun /usr/local/bin/bun
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY drizzle drizzle
COPY src src
COPY vitess/containers/healthy.ts healthy.ts
# Reachable from outside the container, which takes tokens. Nothing is written: the root may be read-only.
ENV NODE_ENV=production KV_HOST=0.0.0.0 BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
EXPOSE 8787
# By its number, so that Kubernetes sees that it is not root.
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["bun", "healthy.ts"]
# The first process, which gets the SIGTERM that stops the container. Allow it KV_LEAVE_MS and KV_DRAIN_MS.
ENTRYPOINT ["bun", "src/server.ts"]
