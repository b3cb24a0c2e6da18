/**
 * A bus that may come later: an edge that starts while NATS is away must still carry emergency calls (edge.md E11).
 * Until it is there nobody answers questions and facts are told to nobody; what was to be heard is heard from then on.
 */
import { type Bus, type BusSettings, connectBus, type Stop } from '@tandem/bus/bus.ts'
import { BusAway } from '@tandem/bus/outcome.ts'

export interface LateBus {
  readonly bus: Bus
  /** Resolves when it is connected for the first time. */
  readonly connected: Promise<void>
}

export function connectLate(settings: BusSettings): LateBus {
  let real: Bus | undefined
  let closed = false
  const starts: ((bus: Bus) => void)[] = []
  const connected = connectBus(settings).then(async (bus) => {
    if (closed) {
      await bus.close()
      return
    }
    real = bus
    for (const start of starts.splice(0)) start(bus)
  })
  /** Begins now or as soon as there is a bus; can be stopped before that. */
  const later = (begin: (bus: Bus) => Stop): Stop => {
    if (real) return begin(real)
    let stop: Stop | undefined
    let stopped = false
    starts.push((bus) => {
      if (!stopped) stop = begin(bus)
    })
    return async () => {
      stopped = true
      await stop?.()
    }
  }
  const away = () => Promise.reject(new BusAway('not connected'))
  const bus: Pick<Bus, keyof Bus> = {
    get connected() {
      return real?.connected ?? false
    },
    service: settings.service,
    ask: (contract, question, options) => real?.ask(contract, question, options) ?? Promise.resolve({ kind: 'nobody' }),
    askAll: (contract, question, waitMs) => real?.askAll(contract, question, waitMs) ?? Promise.resolve([]),
    answer: (contract, handler, options) => later((b) => b.answer(contract, handler, options)),
    tell: (contract, body, options) => real?.tell(contract, body, options),
    record: (contract, body, options) => real?.record(contract, body, options) ?? away(),
    recordText: (contract, key, text, options) => real?.recordText(contract, key, text, options) ?? away(),
    hear: (contract, handler, options) => later((b) => b.hear(contract, handler, options)),
    consume: (contract, options, handler) => later((b) => b.consume(contract, options, handler)),
    backlog: (contract, durable) => real?.backlog(contract, durable) ?? away(),
    follow: (contract, options, handler) => later((b) => b.follow(contract, options, handler)),
    replay: (contract, options, handler) => later((b) => b.replay(contract, options, handler)),
    index: (contract, options, handler) => later((b) => b.index(contract, options, handler)),
    stored: (contract, stream, sequence) => real?.stored(contract, stream, sequence) ?? Promise.resolve(undefined),
    bucket: (name) => real?.bucket(name) ?? away(),
    get connection() {
      if (!real) throw new BusAway('not connected')
      return real.connection
    },
    flush: () => real?.flush() ?? Promise.resolve(),
    close: async () => {
      closed = true
      await real?.close()
    },
  }
  // the class has private fields that nobody outside it touches
  return { bus: bus as Bus, connected }
}
