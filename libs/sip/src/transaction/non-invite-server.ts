/**
 * Non-INVITE server transaction: RFC 3261 17.2.2, transport errors as RFC 6026 8.8.
 *
 *   trying --1xx--> proceeding --200-699--> completed --J--> terminated
 *      `--200-699------------------------------^
 */
import type { Clockwork } from './clockwork.ts'

export type NonInviteServerState<R> =
  | { readonly kind: 'trying' }
  | { readonly kind: 'proceeding'; readonly last: R }
  | { readonly kind: 'completed'; readonly last: R }
  | { readonly kind: 'terminated' }

export type NonInviteServerInput<R> =
  | { readonly kind: 'retransmission' }
  | { readonly kind: 'respond'; readonly status: number; readonly response: R }
  | { readonly kind: 'timer'; readonly timer: 'J' }
  | { readonly kind: 'transport-error' }

export type NonInviteServerEffect<R> =
  | { readonly kind: 'send'; readonly response: R }
  | { readonly kind: 'set-timer'; readonly timer: 'J'; readonly ms: number }
  | { readonly kind: 'clear-timer'; readonly timer: 'J' }
  | { readonly kind: 'to-user'; readonly event: 'transport-error' }
  | { readonly kind: 'terminated' }

export type NonInviteServerStep<R> = readonly [NonInviteServerState<R>, readonly NonInviteServerEffect<R>[]]

const TERMINATED = { kind: 'terminated' } as const
const TRYING = { kind: 'trying' } as const
const NOTHING = [] as const

export function start<R>(): NonInviteServerStep<R> {
  return [TRYING, NOTHING]
}

export function step<R>(
  state: NonInviteServerState<R>,
  input: NonInviteServerInput<R>,
  clock: Clockwork,
): NonInviteServerStep<R> {
  if (state.kind === 'terminated') return [state, NOTHING]
  switch (input.kind) {
    case 'retransmission':
      // RFC 3261 17.2.2: discarded in trying; otherwise the last response is sent again
      return [state, state.kind === 'trying' ? NOTHING : [{ kind: 'send', response: state.last }]]
    case 'respond':
      // RFC 3261 17.2.2: "Any other final responses passed by the TU ... MUST be discarded while in the Completed state"
      return state.kind === 'completed' ? [state, NOTHING] : answer(input, clock)
    case 'timer':
      return state.kind === 'completed' ? [TERMINATED, [TERMINATED]] : [state, NOTHING]
    case 'transport-error':
      // RFC 6026 8.8: the user is told and the transaction "MUST remain in the current state"
      return [state, [{ kind: 'to-user', event: 'transport-error' }]]
  }
}

function answer<R>({ status, response }: { status: number; response: R }, clock: Clockwork): NonInviteServerStep<R> {
  if (status < 200) return [{ kind: 'proceeding', last: response }, [{ kind: 'send', response }]]
  // RFC 3261 17.2.2: timer J is 64*T1 for unreliable transports and zero for reliable ones
  if (clock.reliable) return [TERMINATED, [{ kind: 'send', response }, TERMINATED]]
  return [
    { kind: 'completed', last: response },
    [
      { kind: 'send', response },
      { kind: 'set-timer', timer: 'J', ms: 64 * clock.t1 },
    ],
  ]
}
