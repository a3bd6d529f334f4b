# One image for the agent and the transporter: `docker run skald agent`, `docker run skald transporter`.
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /skald
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY shared/ shared/
COPY agent/ agent/
COPY transporter/ transporter/
COPY cli/ cli/
RUN npx tsc -p tsconfig.build.json && chmod +x dist/cli/main.js

FROM node:20.20.2-bookworm-slim AS dependencies
WORKDIR /skald
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:20.20.2-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/skald
COPY --from=dependencies /skald/node_modules node_modules/
COPY --from=build /skald/dist dist/
COPY package.json LICENSE ./
# The agent's journal has to outlive the container: mount a volume there. It is created here with the right owner.
RUN ln -s /opt/skald/dist/cli/main.js /usr/local/bin/skald && install -d -o node -g node /var/lib/skald
USER node
VOLUME /var/lib/skald
# The status servers of the agent and of the transporter. A container runs one of them, on either port.
EXPOSE 9464 9465
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "Promise.any([9464, 9465].map(async (port) => { const { ok } = await fetch('http://127.0.0.1:' + port + '/healthz'); if (!ok) throw new Error(); })).then(() => process.exit(0), () => process.exit(1))"]
ENTRYPOINT ["skald"]
CMD ["--help"]
