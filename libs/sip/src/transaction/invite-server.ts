/**
 * INVITE server transaction: RFC 3261 17.2.1 as corrected by RFC 6026 7.1 and 8.6.
 *
 *   proceeding --2xx------> accepted  --L--> terminated
 *       |      --300-699--> completed --H--> terminated
 *       |                    |  ^  `--ACK--> confirmed --I--> terminated
 *       |                    `G-'
 *       `-- trying timer (200 ms): a 100 is due
 */
import { type Clockwork, TRYING_MS } from './clockwork.ts'

/** `R` is whatever the owner calls a response ready to be sent (here: its bytes). */
export type InviteServerState<R extends object> =
  | { readonly kind: 'proceeding'; readonly last: R | undefined }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'completed'; readonly last: R; readonly interval: number }
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'terminated' }

export type InviteServerTimer = 'trying' | 'G' | 'H' | 'I' | 'L'

export type InviteServerInput<R extends object> =
  /** The INVITE came again. */
  | { readonly kind: 'retransmission' }
  | { readonly kind: 'ack' }
  /** The transaction user answers. */
  | { readonly kind: 'respond'; readonly status: number; readonly response: R }
  | { readonly kind: 'timer'; readonly timer: InviteServerTimer }
  | { readonly kind: 'transport-error' }

export type InviteServerEffect<R extends object> =
  | { readonly kind: 'send'; readonly response: R }
  /** Nobody answered for 200 ms: the owner makes a 100 and feeds it back as `respond`. */
  | { readonly kind: 'trying-due' }
  | { readonly kind: 'set-timer'; readonly timer: InviteServerTimer; readonly ms: number }
  | { readonly kind: 'clear-timer'; readonly timer: InviteServerTimer }
  | { readonly kind: 'to-user'; readonly event: 'ack' | 'timeout' | 'transport-error' }
  | { readonly kind: 'terminated' }

export type InviteServerStep<R extends object> = readonly [InviteServerState<R>, readonly InviteServerEffect<R>[]]

const TERMINATED = { kind: 'terminated' } as const
const ACCEPTED = { kind: 'accepted' } as const
const CONFIRMED = { kind: 'confirmed' } as const
const END = [TERMINATED] as const
const NOTHING = [] as const

/** The machine of a newly received INVITE; the request itself is handed to the user by the owner. */
export function start<R extends object>(): InviteServerStep<R> {
  return [{ kind: 'proceeding', last: undefined }, [{ kind: 'set-timer', timer: 'trying', ms: TRYING_MS }]]
}

export function step<R extends object>(
  state: InviteServerState<R>,
  input: InviteServerInput<R>,
  clock: Clockwork,
): InviteServerStep<R> {
  switch (state.kind) {
    case 'proceeding':
      return proceeding<R>(state, input, clock)
    case 'accepted':
      return accepted<R>(state, input)
    case 'completed':
      return completed<R>(state, input, clock)
    case 'confirmed':
      // RFC 3261 17.2.1: the confirmed state absorbs any additional ACK
      return input.kind === 'timer' && input.timer === 'I' ? [TERMINATED, END] : [state, NOTHING]
    case 'terminated':
      return [state, NOTHING]
  }
}

function proceeding<R extends object>(
  state: InviteServerState<R> & { kind: 'proceeding' },
  input: InviteServerInput<R>,
  clock: Clockwork,
): InviteServerStep<R> {
  switch (input.kind) {
    case 'respond':
      return answer(state, input, clock)
    case 'retransmission':
      // RFC 3261 17.2.1: "the most recent provisional response ... MUST be passed to the transport layer"
      return [state, state.last === undefined ? NOTHING : [{ kind: 'send', response: state.last }]]
    case 'timer':
      return [state, input.timer === 'trying' && state.last === undefined ? [{ kind: 'trying-due' }] : NOTHING]
    case 'transport-error':
      // RFC 6026 7.1: a transport error MUST NOT discard the state, so that retransmissions are still absorbed
      return [state, [{ kind: 'to-user', event: 'transport-error' }]]
    case 'ack':
      return [state, NOTHING]
  }
}

function answer<R extends object>(
  state: InviteServerState<R> & { kind: 'proceeding' },
  { status, response }: { status: number; response: R },
  clock: Clockwork,
): InviteServerStep<R> {
  const effects: InviteServerEffect<R>[] = [{ kind: 'send', response }]
  if (state.last === undefined) effects.push({ kind: 'clear-timer', timer: 'trying' })
  if (status < 200) return [{ kind: 'proceeding', last: response }, effects]
  if (status < 300) {
    // RFC 6026 8.7: "Timer L MUST be set to fire in 64*T1 for all transports"
    effects.push({ kind: 'set-timer', timer: 'L', ms: 64 * clock.t1 })
    return [ACCEPTED, effects]
  }
  // RFC 3261 17.2.1: timer G only over unreliable transports, timer H over all
  if (!clock.reliable) effects.push({ kind: 'set-timer', timer: 'G', ms: clock.t1 })
  effects.push({ kind: 'set-timer', timer: 'H', ms: 64 * clock.t1 })
  return [{ kind: 'completed', last: response, interval: clock.t1 }, effects]
}

function accepted<R extends object>(
  state: InviteServerState<R> & { kind: 'accepted' },
  input: InviteServerInput<R>,
): InviteServerStep<R> {
  switch (input.kind) {
    case 'respond':
      // RFC 6026 7.1: a 2xx from the user in this state is sent; anything else is too late
      return [state, input.status >= 200 && input.status < 300 ? [{ kind: 'send', response: input.response }] : NOTHING]
    case 'ack':
      // RFC 6026 7.1: ACKs in this state "MUST be passed directly to the TU and not absorbed"
      return [state, [{ kind: 'to-user', event: 'ack' }]]
    case 'timer':
      return input.timer === 'L' ? [TERMINATED, END] : [state, NOTHING]
    case 'transport-error':
      return [state, [{ kind: 'to-user', event: 'transport-error' }]]
    case 'retransmission':
      // RFC 6026 8.7: absorbed entirely; the user retransmits its 2xx
      return [state, NOTHING]
  }
}

function completed<R extends object>(
  state: InviteServerState<R> & { kind: 'completed' },
  input: InviteServerInput<R>,
  clock: Clockwork,
): InviteServerStep<R> {
  switch (input.kind) {
    case 'retransmission':
      return [state, [{ kind: 'send', response: state.last }]]
    case 'ack':
      return acknowledged(clock)
    case 'timer':
      return completedTimer(state, input.timer, clock)
    case 'transport-error':
      return [state, [{ kind: 'to-user', event: 'transport-error' }]]
    case 'respond':
      return [state, NOTHING]
  }
}

function acknowledged<R extends object>(clock: Clockwork): InviteServerStep<R> {
  const effects: InviteServerEffect<R>[] = [{ kind: 'clear-timer', timer: 'H' }]
  // RFC 3261 17.2.1: timer I is T4 for unreliable transports and zero for reliable ones
  if (clock.reliable) return [TERMINATED, [...effects, TERMINATED]]
  effects.push({ kind: 'clear-timer', timer: 'G' }, { kind: 'set-timer', timer: 'I', ms: clock.t4 })
  return [CONFIRMED, effects]
}

function completedTimer<R extends object>(
  state: InviteServerState<R> & { kind: 'completed' },
  timer: InviteServerTimer,
  clock: Clockwork,
): InviteServerStep<R> {
  if (timer === 'G') {
    // RFC 3261 17.2.1: "timer G is set to fire in MIN(2*T1, T2) seconds", doubling up to T2
    const interval = Math.min(2 * state.interval, clock.t2)
    return [
      { kind: 'completed', last: state.last, interval },
      [
        { kind: 'send', response: state.last },
        { kind: 'set-timer', timer: 'G', ms: interval },
      ],
    ]
  }
  if (timer !== 'H') return [state, NOTHING]
  // RFC 3261 17.2.1: timer H "implies that the ACK was never received": the user is told
  return [TERMINATED, [{ kind: 'clear-timer', timer: 'G' }, { kind: 'to-user', event: 'timeout' }, TERMINATED]]
}
