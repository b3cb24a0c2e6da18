/** Runs a pure transaction machine in simulated time and writes down what it does, and when. */
import type { Clockwork } from '../src/transaction/clockwork.ts'

interface AnyEffect {
  readonly kind: string
  readonly timer?: string
  readonly ms?: number
  readonly event?: string
  readonly what?: string
  readonly response?: unknown
}

type AnyStep<S> = readonly [S, readonly AnyEffect[]]

export interface Bench<S, I> {
  readonly state: S
  /** `500 send request`, `32000 to-user timeout` … */
  readonly log: string[]
  /** Timers running, with the time at which they fire. */
  readonly timers: ReadonlyMap<string, number>
  now: number
  input(input: I): void
  /** Lets time pass; timers fire in order. */
  advance(ms: number): void
}

export const UDP: Clockwork = { reliable: false, t1: 500, t2: 4000, t4: 5000 }
export const TCP: Clockwork = { reliable: true, t1: 500, t2: 4000, t4: 5000 }

export function bench<S, I>(
  start: AnyStep<S>,
  step: (state: S, input: I, clock: Clockwork) => AnyStep<S>,
  clock: Clockwork,
): Bench<S, I> {
  let state = start[0]
  const log: string[] = []
  const timers = new Map<string, number>()
  const run = ([next, effects]: AnyStep<S>) => {
    state = next
    for (const effect of effects) {
      if (effect.kind === 'set-timer') timers.set(effect.timer as string, self.now + (effect.ms as number))
      else if (effect.kind === 'clear-timer') timers.delete(effect.timer as string)
      else {
        const detail = effect.event ?? effect.what ?? ''
        const response = effect.response === undefined ? '' : String((effect.response as { name?: string }).name)
        log.push([self.now, effect.kind, detail, response].filter((part) => part !== '').join(' '))
      }
    }
  }
  const self: Bench<S, I> = {
    get state() {
      return state
    },
    log,
    timers,
    now: 0,
    input: (input) => run(step(state, input, clock)),
    advance(ms) {
      const limit = self.now + ms
      for (;;) {
        const due = [...timers].filter(([, at]) => at <= limit).sort((a, b) => a[1] - b[1])[0]
        if (!due) break
        timers.delete(due[0])
        self.now = due[1]
        run(step(state, { kind: 'timer', timer: due[0] } as I, clock))
      }
      self.now = limit
    },
  }
  run(start)
  return self
}
