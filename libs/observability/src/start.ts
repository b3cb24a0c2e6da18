/** Tracing starts only where a collector is named: its SDK costs most of a second to load. */
export interface Observability {
  /** Sends what is left. */
  stop(): Promise<void>
}

export async function startObservability(options: {
  service: string
  environment: NodeJS.ProcessEnv
}): Promise<Observability> {
  const wanted =
    options.environment.OTEL_EXPORTER_OTLP_ENDPOINT ?? options.environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
  if (!wanted || options.environment.OTEL_SDK_DISABLED === 'true') return { stop: async () => {} }
  const [{ NodeSDK }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ])
  const sdk = new NodeSDK({
    serviceName: options.environment.OTEL_SERVICE_NAME ?? `tandem-${options.service}`,
    traceExporter: new OTLPTraceExporter(),
    instrumentations: [],
  })
  sdk.start()
  return {
    stop: async () => {
      await Promise.race([sdk.shutdown(), new Promise((done) => setTimeout(done, 2000).unref())]).catch(() => {})
    },
  }
}
