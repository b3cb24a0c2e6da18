/** Presence on the bus: hears calls and registrations, answers who is on the phone, tells watchers within a second. */
import { randomInt, randomUUID } from 'node:crypto'
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import {
  CallAnswered,
  CallCorrected,
  CallEnded,
  CallInterim,
  CallRinging,
  CallStarted,
} from '@tandem/contracts/call.ts'
import type { Answer, Question } from '@tandem/contracts/contract.ts'
import {
  PresenceChanged,
  PresenceNotify,
  type PresenceState,
  PublishPresence,
  ReadPresence,
  SetPresence,
  SubscribePresence,
} from '@tandem/contracts/presence.ts'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { PIDF_TYPE } from '@tandem/pidf/pidf.ts'
import { directoryOf } from './domain/directory.ts'
import { createEventState } from './domain/event-state.ts'
import {
  CALL_LEASE_MS,
  type LegFact,
  publicationOfBinding,
  publicationOfLeg,
  RINGING_LEASE_MS,
} from './domain/hear-fact.ts'
import type { Publication } from './domain/publication.ts'
import { createRoster } from './domain/roster.ts'
import { createSubscriptions, SUBSCRIPTION_LIMIT } from './subscriptions.ts'

export interface PresenceService {
  /** A new revision of the configuration holds from now on. */
  configure(configuration: Configuration): void
  stop(): Promise<void>
}

/** Longest subscription, s. */
const SUBSCRIBE_MAXIMUM_S = 3_600
/** A watcher that asks for less would do nothing but refresh, s. */
const SUBSCRIBE_MINIMUM_S = 10
/** From this length on a subscription is shortened by up to a tenth, so that a thousand of one moment do not end in one moment, s. */
const JITTER_FROM_S = 300
/** Registrations older than this have run out, ms. */
const REGISTRATION_LEASE_MS = 3_600_000
const SWEEP_MS = 250
/** Not before any wall clock: a manual state without an end. */
const FOR_EVER = Number.MAX_SAFE_INTEGER

export function startPresence(deps: {
  readonly bus: Bus
  readonly log: Logger
  readonly configuration: Configuration
  /** Wall clock, ms. */
  readonly now?: () => number
  /** Shortest subscription taken, s. */
  readonly shortestSubscriptionS?: number
}): PresenceService {
  const { bus, log } = deps
  const now = deps.now ?? Date.now
  const shortest = deps.shortestSubscriptionS ?? SUBSCRIBE_MINIMUM_S
  let directory = directoryOf(deps.configuration)
  const roster = createRoster(Math.floor(now() / 1000))
  const events = createEventState(() => randomUUID())
  const subscriptions = createSubscriptions({
    now,
    state: (user) => roster.state(user),
    entity: (user) => directory.entity(user),
    tell: (notice) => bus.tell(PresenceNotify, notice),
  })

  function emit(state: PresenceState | undefined): void {
    if (!state) return
    bus.tell(PresenceChanged, state)
    subscriptions.changed(state)
    log.debug({ user: state.user, availability: state.availability, activities: state.activities }, 'presence changed')
  }
  const take = (publication: Publication | undefined) => emit(publication && roster.take(publication, now()))
  const leg = (fact: LegFact) => take(publicationOfLeg(fact, directory))

  function configure(configuration: Configuration): void {
    directory = directoryOf(configuration)
    for (const state of roster.configure(directory.users, now())) emit(state)
    subscriptions.keepOnly((user) => directory.users.has(user))
  }
  configure(deps.configuration)

  // A fact that is both heard and read counts once: the roster does not care about repetitions.
  const since = { sinceMs: Math.max(CALL_LEASE_MS, RINGING_LEASE_MS) }
  const registered = { sinceMs: REGISTRATION_LEASE_MS }
  const stops: Stop[] = [
    bus.hear(CallStarted, (body) => leg({ kind: 'started', leg: body })),
    bus.hear(CallRinging, (body) => leg({ kind: 'ringing', leg: body })),
    bus.hear(CallCorrected, (body) => leg({ kind: 'ended', leg: body })),
    bus.follow(CallAnswered, since, (body) => leg({ kind: 'answered', leg: body })),
    bus.follow(CallInterim, since, (body) => leg({ kind: 'interim', leg: body })),
    bus.follow(CallEnded, since, (body) => leg({ kind: 'ended', leg: body })),
    bus.follow(RegistrationBound, registered, (body) => take(publicationOfBinding(body, false))),
    bus.follow(RegistrationRemoved, registered, (body) => take(publicationOfBinding(body, true))),
    bus.answer(ReadPresence, ({ user }) => {
      if (user === undefined) return { states: [...roster.states()] }
      const state = roster.state(user)
      return { states: state ? [state] : [] }
    }),
    bus.answer(SetPresence, (question) => ({ state: set(question) })),
    bus.answer(SubscribePresence, subscribe),
    bus.answer(PublishPresence, publish),
  ]

  let lastSet = 0
  function set(question: Question<typeof SetPresence>): PresenceState {
    const at = now()
    lastSet = Math.max(at, lastSet + 1)
    const until = question.until === undefined ? FOR_EVER : Date.parse(question.until)
    const cleared = question.availability === null
    take({
      ...{
        user: question.user,
        source: 'manual',
        instance: 'manual',
        availability: question.availability ?? 'offline',
      },
      activities: question.availability === 'busy' || question.availability === 'away' ? [question.availability] : [],
      ...{ device: 'unknown', confidence: 'certain', since: at, expires: cleared ? at : until },
      ...{ epoch: 0, seq: lastSet, ended: cleared, renewal: false },
    })
    const state = roster.state(question.user)
    if (!state) throw new Error(`there is no user ${question.user}`)
    return state
  }

  function subscribe(question: Question<typeof SubscribePresence>): Answer<typeof SubscribePresence> {
    const { edge, subscriptionId } = question
    // RFC 6665 7.2: a package that we do not know
    if (question.event.split(';', 1)[0]?.trim() !== 'presence') return { status: 489, reason: 'Bad Event' }
    if (!acceptsPidf(question.accept)) return { status: 406, reason: 'Only application/pidf+xml' }
    const user = directory.findUser(question.presentity)
    const state = user === undefined ? undefined : roster.state(user)
    // P6: a stranger learns nothing, not even who exists
    if (question.watcher === undefined) return { status: 403, reason: 'Forbidden' }
    if (!state) return { status: 404, reason: 'No such user' }
    if (question.expires === 0)
      return { status: 200, expires: 0, notify: subscriptions.unsubscribe({ edge, subscriptionId }, state) }
    // RFC 6665 4.2.1.1: an interval below the notifier's minimum may be answered with 423 and the minimum
    if (question.expires < shortest) return { status: 423, reason: 'Interval Too Brief', expires: shortest }
    if (subscriptions.size() >= SUBSCRIPTION_LIMIT) return { status: 503, reason: 'Too many subscriptions' }
    const granted = grant(question.expires)
    return { status: 200, expires: granted, notify: subscriptions.subscribe({ edge, subscriptionId }, state, granted) }
  }

  function publish(question: Question<typeof PublishPresence>): Answer<typeof PublishPresence> {
    const user = directory.findUser(question.presentity)
    const entity = user === undefined ? '' : directory.entity(user)
    const { publication, ...answer } = events.publish({ ...question, user, entity }, now())
    take(publication)
    return answer
  }

  const sweep = setInterval(() => {
    for (const state of roster.sweep(now())) emit(state)
    events.sweep(now())
    subscriptions.sweep()
  }, SWEEP_MS)

  return {
    configure,
    stop: async () => {
      clearInterval(sweep)
      subscriptions.close()
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}

/** RFC 6665 4.2.1.1: the notifier may shorten what was asked, never lengthen it. */
function grant(asked: number): number {
  const capped = Math.min(asked, SUBSCRIBE_MAXIMUM_S)
  return capped < JITTER_FROM_S ? capped : capped - randomInt(Math.floor(capped / 10) + 1)
}

/** RFC 3856 6.7: without Accept, PIDF is meant. */
function acceptsPidf(accept: readonly string[]): boolean {
  const types = accept.flatMap((a) => a.split(',')).map((a) => a.split(';', 1)[0]?.trim().toLowerCase())
  return types.length === 0 || types.some((t) => t === PIDF_TYPE || t === 'application/*' || t === '*/*')
}
