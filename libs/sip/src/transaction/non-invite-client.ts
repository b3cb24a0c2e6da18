/**
 * Non-INVITE client transaction: RFC 3261 17.1.2.
 *
 *   trying --1xx--> proceeding --200-699--> completed --K--> terminated
 *    | ^ `--200-699---- | ^ -------------------^
 *    `E'                `E'      F, transport error from trying and proceeding --> terminated
 */
import type { Clockwork } from './clockwork.ts'

export type NonInviteClientState =
  | { readonly kind: 'trying'; readonly interval: number }
  | { readonly kind: 'proceeding' }
  | { readonly kind: 'completed' }
  | { readonly kind: 'terminated' }

export type NonInviteClientTimer = 'E' | 'F' | 'K'

export type NonInviteClientInput<R> =
  | { readonly kind: 'response'; readonly status: number; readonly response: R }
  | { readonly kind: 'timer'; readonly timer: NonInviteClientTimer }
  | { readonly kind: 'transport-error' }

export type NonInviteClientEffect<R> =
  | { readonly kind: 'send'; readonly what: 'request' }
  | { readonly kind: 'set-timer'; readonly timer: NonInviteClientTimer; readonly ms: number }
  | { readonly kind: 'clear-timer'; readonly timer: NonInviteClientTimer }
  | { readonly kind: 'to-user'; readonly event: 'response'; readonly response: R }
  | { readonly kind: 'to-user'; readonly event: 'timeout' | 'transport-error' }
  | { readonly kind: 'terminated' }

export type NonInviteClientStep<R> = readonly [NonInviteClientState, readonly NonInviteClientEffect<R>[]]

const TERMINATED = { kind: 'terminated' } as const
const PROCEEDING = { kind: 'proceeding' } as const
const COMPLETED = { kind: 'completed' } as const
const NOTHING = [] as const

/** Sends the request and starts its timers. */
export function start<R>(clock: Clockwork): NonInviteClientStep<R> {
  const effects: NonInviteClientEffect<R>[] = [{ kind: 'send', what: 'request' }]
  // RFC 3261 17.1.2.2: timer E only over unreliable transports, timer F (64*T1) over any
  if (!clock.reliable) effects.push({ kind: 'set-timer', timer: 'E', ms: clock.t1 })
  effects.push({ kind: 'set-timer', timer: 'F', ms: 64 * clock.t1 })
  return [{ kind: 'trying', interval: clock.t1 }, effects]
}

export function step<R>(
  state: NonInviteClientState,
  input: NonInviteClientInput<R>,
  clock: Clockwork,
): NonInviteClientStep<R> {
  switch (state.kind) {
    case 'trying':
    case 'proceeding':
      return pending(state, input, clock)
    case 'completed':
      // RFC 3261 17.1.2.2: the completed state buffers response retransmissions until timer K
      return input.kind === 'timer' && input.timer === 'K' ? [TERMINATED, [TERMINATED]] : [state, NOTHING]
    case 'terminated':
      return [state, NOTHING]
  }
}

function pending<R>(
  state: NonInviteClientState & { kind: 'trying' | 'proceeding' },
  input: NonInviteClientInput<R>,
  clock: Clockwork,
): NonInviteClientStep<R> {
  switch (input.kind) {
    case 'response':
      if (input.status < 200) return [PROCEEDING, [{ kind: 'to-user', event: 'response', response: input.response }]]
      return final(input.response, clock)
    case 'timer':
      return pendingTimer(state, input.timer, clock)
    case 'transport-error':
      return [TERMINATED, [...stop<R>(clock), { kind: 'to-user', event: 'transport-error' }, TERMINATED]]
  }
}

function pendingTimer<R>(
  state: NonInviteClientState & { kind: 'trying' | 'proceeding' },
  timer: NonInviteClientTimer,
  clock: Clockwork,
): NonInviteClientStep<R> {
  if (timer === 'E') {
    // RFC 3261 17.1.2.2: MIN(2*T1, T2), MIN(4*T1, T2) ... in trying; T2 in proceeding
    const interval = state.kind === 'trying' ? Math.min(2 * state.interval, clock.t2) : clock.t2
    return [
      state.kind === 'trying' ? { kind: 'trying', interval } : state,
      [
        { kind: 'send', what: 'request' },
        { kind: 'set-timer', timer: 'E', ms: interval },
      ],
    ]
  }
  if (timer !== 'F') return [state, NOTHING]
  return [TERMINATED, [...stop<R>(clock), { kind: 'to-user', event: 'timeout' }, TERMINATED]]
}

function final<R>(response: R, clock: Clockwork): NonInviteClientStep<R> {
  const effects = stop<R>(clock)
  effects.push({ kind: 'to-user', event: 'response', response })
  // RFC 3261 17.1.2.2: timer K is T4 for unreliable transports and zero for reliable ones
  if (clock.reliable) {
    effects.push(TERMINATED)
    return [TERMINATED, effects]
  }
  effects.push({ kind: 'set-timer', timer: 'K', ms: clock.t4 })
  return [COMPLETED, effects]
}

function stop<R>(clock: Clockwork): NonInviteClientEffect<R>[] {
  const effects: NonInviteClientEffect<R>[] = [{ kind: 'clear-timer', timer: 'F' }]
  if (!clock.reliable) effects.push({ kind: 'clear-timer', timer: 'E' })
  return effects
}
