/** Console: the HTTP API and the page over what the bus tells; keeper of the configuration. */
import type { Bus } from '@tandem/bus/bus.ts'
import { PresenceChanged } from '@tandem/contracts/presence.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { startCallIndex } from './adapters/call-index.ts'
import { openConfigStore } from './adapters/config-store.ts'
import { startEventStream } from './adapters/event-stream.ts'
import { buildHttp } from './adapters/http.ts'
import { billingRoutes } from './adapters/routes/billing.ts'
import { callRoutes } from './adapters/routes/calls.ts'
import { configRoutes } from './adapters/routes/config.ts'
import { directoryRoutes } from './adapters/routes/directory.ts'
import { numberRoutes } from './adapters/routes/numbers.ts'
import { peopleRoutes } from './adapters/routes/people.ts'
import { startStateIndex } from './adapters/state-index.ts'
import type { TokenEntry } from './domain/access.ts'

export interface ConsoleSettings {
  readonly bus: Bus
  readonly log: Logger
  readonly host: string
  readonly port: number
  readonly tokens: readonly TokenEntry[]
  readonly openOnLoopback: boolean
  readonly page?: string | undefined
}

export interface Console {
  readonly port: number
  stop(): Promise<void>
}

export async function startConsole(settings: ConsoleSettings): Promise<Console> {
  const { bus, log } = settings
  const store = await openConfigStore(bus, (revision) => log.info({ revision }, 'configuration applied'))
  const index = startCallIndex(bus)
  const states = startStateIndex(bus)
  const callEvents = startEventStream()
  const presenceEvents = startEventStream()
  index.subscribe((call) => callEvents.send('call', call))
  bus.hear(PresenceChanged, (state) => presenceEvents.send('presence', [state]))

  const app = await buildHttp({
    log,
    tokens: settings.tokens,
    openOnLoopback: settings.openOnLoopback,
    page: settings.page,
    ready: () => (bus.connected ? undefined : 'NATS is away'),
  })
  callRoutes(app, { bus, index, events: callEvents })
  configRoutes(app, { bus, store })
  numberRoutes(app, { store })
  directoryRoutes(app, { bus, store, states })
  peopleRoutes(app, { bus, store, events: presenceEvents })
  billingRoutes(app, { bus })
  await app.listen({ host: settings.host, port: settings.port })
  const address = app.server.address()
  return {
    port: typeof address === 'object' && address ? address.port : settings.port,
    stop: async () => {
      callEvents.close()
      presenceEvents.close()
      await app.close()
      await index.close()
      await states.close()
    },
  }
}
