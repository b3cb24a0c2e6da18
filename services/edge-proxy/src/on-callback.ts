/**
 * A call from a carrier to somebody who has called for help (RFC 6881 ED-68, SP-35; RFC 7090; docs/adr/0115): the PSAP calls
 * back. It rings the phone that called for help: no forwarding, no mobile, no limit and no missing router stands in between.
 */
import { EmergencyEnded, EmergencyStarted, type EmergencyStartedBody } from '@tandem/contracts/emergency.ts'
import type { RouteDecision } from '@tandem/contracts/routing.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { nameAddrs, to } from '@tandem/sip/message/read.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import { createHelpCalls, type HelpCall, type HelpCalls } from './domain/help-calls.ts'
import { asksPrivacy, marksCallback } from './domain/leg-headers.ts'
import type { CallPlan } from './domain/leg-launcher.ts'
import type { Edge } from './edge.ts'
import type { Incoming } from './reception.ts'

/** The PSAP hangs up when it has waited long enough; nobody else answers for the phone, ms. */
const RING_MS = 180_000
/** Calls for help are looked for so far back, beside the time in which they may be called back, ms. */
const LAST_MS = 6 * 3_600_000

/** Calls for help of all edges of the cluster, those of the last hours too. `stop` closes it. */
export function watchHelpCalls(edge: Pick<Edge, 'bus' | 'config'>): { calls: HelpCalls; stop(): Promise<void> } {
  const calls = createHelpCalls()
  const { callbackMs } = edge.config().emergency
  const sinceMs = LAST_MS + callbackMs
  const stops = [
    edge.bus.replay(EmergencyStarted, { sinceMs }, (body) => rememberHelp(calls, body)),
    edge.bus.replay(EmergencyEnded, { sinceMs }, ({ callId, at }) =>
      calls.ended(callId, Date.parse(at) + edge.config().emergency.callbackMs),
    ),
  ]
  return {
    calls,
    async stop() {
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}

export function rememberHelp(calls: HelpCalls, body: EmergencyStartedBody): void {
  const { callId, callback, user, instance, sourceAddress, sourcePort, at, test } = body
  if (test || user === undefined || callback === undefined) return
  const host = sourceAddress.includes(':') ? `[${sourceAddress}]` : sourceAddress
  calls.began({ callId, callback, user, instance, source: `${host}:${sourcePort ?? 0}`, at: Date.parse(at) })
}

export interface CallbackDoor {
  /** It may be one, by its digits: then nothing but the router keeps it out. */
  maybe(request: SipRequest, dialled: string): boolean
  /** The plan that rings the phone; undefined: it is an ordinary call. `decision` undefined: nobody decides. */
  plan(incoming: Incoming, decision: RouteDecision | undefined): CallPlan | undefined
}

export function createCallbackDoor(edge: Edge, calls: HelpCalls): CallbackDoor {
  const now = () => edge.clock.wall()

  const like = (request: SipRequest, dialled: string): readonly HelpCall[] => {
    // where a carrier may put the number (routing.md R5); RFC 3455 4.2
    const written = [dialled, to(request)?.uri.user, nameAddrs(request, 'p-called-party-id')[0]?.uri.user]
    for (const number of written) {
      const found = number === undefined ? [] : calls.like(unescapeUser(number), now())
      if (found.length > 0) return found
    }
    return []
  }

  const calledBack = (incoming: Incoming, decision: RouteDecision | undefined): readonly HelpCall[] => {
    const { users } = edge.config()
    const number = decision?.normalised
    const found = number === undefined ? like(incoming.request, incoming.dialled) : calls.of(number, now())
    return found.filter(({ user }) => users[user] !== undefined)
  }

  return {
    maybe: (request, dialled) => like(request, dialled).length > 0,
    plan(incoming, decision) {
      const { peer, facts, request } = incoming
      // a number that the router puts elsewhere without knowing it as one is not looked for by its digits
      if (peer.kind !== 'trunk' || (decision?.kind === 'route' && decision.normalised === undefined)) return undefined
      const found = calledBack(incoming, decision)
      const [first] = found
      if (first === undefined) return undefined
      facts.to = first.callback
      const called = [...new Set(found.map(({ user }) => user))]
      const config = edge.config()
      const { costCentre, site } = config.users[first.user] ?? {}
      incoming.leg.identity.costCentre ??= costCentre ?? undefined
      const trusted = config.trunks[peer.trunk]?.emergency === true
      edge.log.warn(
        { call: incoming.id, users: called, helped: first.callId },
        'somebody who called for help is called back',
      )
      return {
        branches: called.map((user) => ({
          role: 'callee' as const,
          delayMs: 0,
          attempts: [{ kind: 'user' as const, user, ringMs: RING_MS }],
        })),
        calledBack: found,
        // RFC 7090 5.3: only a carrier that emergency calls go to is believed that it is a PSAP's
        marked: trusted && marksCallback(request),
        shown: {
          number: decision?.caller?.number ?? facts.from,
          display: decision?.caller?.display,
          withheld: asksPrivacy(request),
        },
        callee: { user: first.user, costCentre: costCentre ?? undefined, site },
        costCentre: costCentre ?? undefined,
        emergency: undefined,
      }
    },
  }
}
