/** An emergency call (location.md L1 to L6, edge.md E11): both services are asked at once; whoever is late is done without. */
import type { Asked } from '@tandem/bus/outcome.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import { Locate, type LocateAnswer } from '@tandem/contracts/location.ts'
import { ResolveRoute, type RoutePlan } from '@tandem/contracts/routing.ts'
import type { CallParts } from './domain/call-parts.ts'
import { locateQuestion, routeQuestion } from './domain/call-question.ts'
import type { EmergencyDialled } from './domain/emergency-number.ts'
import { answeredLocation, ladderOf, standingLocation, type WhereCalled } from './domain/emergency-order.ts'
import { startEmergency } from './domain/emergency-run.ts'
import type { CallPlan } from './domain/leg-launcher.ts'
import type { Edge, Wire } from './edge.ts'
import { rememberHelp } from './on-callback.ts'
import { decided, type Incoming, identify, type Reception } from './reception.ts'

/** Neither is waited for longer, ms. */
const EMERGENCY_MS = 300

/** `known`: the router's plan, when it was the router that saw an emergency in it. */
export function createEmergencyDoor({ edge, helpCalls }: CallParts, { siteOf, untilDecided, start }: Reception) {
  return async (incoming: Incoming, dialled: EmergencyDialled, known?: RoutePlan): Promise<void> => {
    const { peer, wire, facts, id, context, leg } = incoming
    facts.emergency = true
    const state = untilDecided(incoming)
    const config = edge.config()
    const user = peer.kind === 'user' ? peer.user : undefined
    const insideSite = siteOf(wire.remoteAddress)
    const who = { user, insideSite }
    const options = { emergency: true, timeoutMs: EMERGENCY_MS, context }
    const [route, location] = await Promise.all([
      known === undefined
        ? edge.bus.ask(
            ResolveRoute,
            routeQuestion({ ...incoming, wallMs: incoming.leg.startedWall }, siteOf, edge.revision()),
            options,
          )
        : undefined,
      edge.bus.ask(Locate, locateQuestion(incoming, user), options),
    ])
    if (state.gone) return
    const decision = known ?? (route === undefined ? undefined : decided(route))
    const plan = decision?.kind === 'route' ? decision : undefined
    if (decision) identify(incoming, decision)
    const where = whereCalled(config, location, who)
    const ladder = ladderOf(config, dialled.number, where, plan)
    const written = user === undefined ? undefined : config.users[user]
    leg.identity = {
      ...leg.identity,
      user: leg.identity.user ?? user,
      site: leg.identity.site ?? insideSite,
      costCentre: leg.identity.costCentre ?? written?.costCentre ?? undefined,
    }
    const display = incoming.leg.identity.user === undefined ? undefined : written?.displayName
    facts.to ??= dialled.number
    if (where.callback !== undefined) facts.from = where.callback
    const site = leg.identity.site
    const instance = user === undefined ? undefined : deviceOn(edge, user, wire)
    const emergency = startEmergency({
      edge,
      callId: id,
      legId: leg.legId,
      where,
      context,
      domain: config.domain,
      started: {
        test: dialled.test,
        dialled: incoming.dialled,
        sourceAddress: wire.remoteAddress,
        sourcePort: wire.remotePort,
        ...(instance === undefined ? {} : { instance }),
        ...(user === undefined ? {} : { user }),
        ...(display === undefined ? {} : { display }),
        ...(site === undefined ? {} : { site }),
        standingOrder: [
          ...(plan === undefined ? (['routing'] as const) : []),
          ...(location.kind === 'answer' ? [] : (['location'] as const)),
        ],
      },
      told: (body) => rememberHelp(helpCalls, body),
    })
    edge.log.warn({ call: id, user, routeClass: where.routeClass, rungs: ladder.attempts.length }, 'emergency call')
    start(incoming, {
      branches: [
        { role: 'callee', delayMs: 0, attempts: ladder.attempts as CallPlan['branches'][number]['attempts'] & [] },
      ],
      shown: { number: where.callback ?? facts.from, display, withheld: false },
      callee: {},
      costCentre: leg.identity.costCentre,
      emergency,
    })
  }
}

/** +sip.instance of the phone behind a flow. */
function deviceOn({ bindings }: Edge, user: string, { flow }: Wire): string | undefined {
  return bindings.of(user).find((binding) => binding.wire()?.flow === flow)?.instance
}

function whereCalled(
  config: Configuration,
  location: Asked<LocateAnswer>,
  who: { user: string | undefined; insideSite: string | undefined },
): WhereCalled {
  return location.kind === 'answer' ? answeredLocation(config, location.answer, who) : standingLocation(config, who)
}
