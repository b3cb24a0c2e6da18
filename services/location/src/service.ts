/** Location on the bus: answers where a caller is, tells the desk, keeps the record of emergency calls. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import {
  EmergencyAttempted,
  EmergencyEnded,
  EmergencyNotified,
  EmergencyStarted,
  type EmergencyStartedBody,
  ListIncidents,
} from '@tandem/contracts/emergency.ts'
import { Locate, type LocateAnswer, type LocateQuestion } from '@tandem/contracts/location.ts'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { IncidentFile } from './adapters/incident-file.ts'
import { createDesk, type Notice } from './desk.ts'
import { attemptedEntry, endedEntry, notifiedEntry, startedEntry, type Told } from './domain/emergency-story.ts'
import { createIncidentLog } from './domain/incident.ts'
import { locate } from './domain/locate-number.ts'
import { placesOf } from './domain/places.ts'
import { createMemory } from './last-known.ts'

export interface LocationService {
  /** A new revision of the configuration holds from now on. */
  configure(configuration: Configuration): void
  stop(): Promise<void>
}

/** A call that began longer ago is told to nobody any more when the service comes back, ms. */
const TELL_WITHIN_MS = 300_000
/** Registrations older than this have run out, ms. */
const REGISTRATION_LEASE_MS = 3_600_000
const SWEEP_MS = 10_000
const LIST_LIMIT = 1000

export function startLocation(deps: {
  readonly bus: Bus
  readonly log: Logger
  readonly configuration: Configuration
  readonly incidents: IncidentFile
  /** Wall clock, ms. */
  readonly now?: () => number
  /** Pauses between tries to tell the desk, ms. */
  readonly deskPausesMs?: readonly number[]
}): LocationService {
  const { bus, log, incidents } = deps
  const now = deps.now ?? Date.now
  let configuration = deps.configuration
  let places = placesOf(configuration)
  const memory = createMemory(now)
  const incidentLog = createIncidentLog(incidents.kept)
  const desk = createDesk(bus, deps.deskPausesMs)
  const announced = new Set<string>()
  if (incidents.trouble) log.error({ why: incidents.trouble }, 'the incident log is damaged')
  for (const { row, why } of places.wiremap.bad) log.warn({ row, why }, 'a row of the wiremap is left out')

  /** On disk before it counts as kept: a batch of the stream is acknowledged only after this. */
  async function keep({ entry, key }: Told): Promise<void> {
    const added = incidentLog.add(entry, key)
    await (added ? incidents.append({ ...added, key }) : incidents.flush())
  }

  function answer(question: LocateQuestion): LocateAnswer {
    const found = locate(question, places, memory, now())
    const shown =
      found.kind === 'found' ? { source: found.source, ref: found.place.ref ?? 'unnamed' } : { why: found.why }
    // L18: logs carry the name of a place, never the place
    const asked = { purpose: question.purpose, reader: question.reader, user: found.user }
    log.info({ ...asked, ...shown, routeClass: found.routeClass }, 'located')
    return found
  }

  /** L16: as soon as the fact is heard, by every channel at once; nobody waits for it. */
  function announce(body: EmergencyStartedBody): void {
    if (announced.has(body.callId) || now() - Date.parse(body.at) > TELL_WITHIN_MS) return
    announced.add(body.callId)
    const targets = configuration.emergency.desk.filter((target) => !incidentLog.has(body.callId, `notified ${target}`))
    log.warn({ callId: body.callId, user: body.user, test: body.test, ref: body.place?.ref }, 'emergency call')
    void desk
      .announce(body, targets, (notice) => void notified(body.callId, notice))
      .catch((error: unknown) => log.error({ err: error, callId: body.callId }, 'the desk could not be told'))
  }

  async function notified(callId: string, { delivered, ...notice }: Notice): Promise<void> {
    const fact = { callId, at: new Date(now()).toISOString(), ...notice, delivered }
    if (!delivered) log.error({ callId, channel: notice.channel, detail: notice.detail }, 'the desk was not reached')
    try {
      await keep(notifiedEntry(fact))
      await bus.record(EmergencyNotified, fact, { messageId: `${callId} ${notice.target}` })
    } catch (error) {
      log.error({ err: error, callId }, 'a notification was not recorded')
    }
  }

  /** The entry stands before those of the desk; its way to the disk holds nothing up. */
  async function started(body: EmergencyStartedBody): Promise<void> {
    const kept = keep(startedEntry(body))
    memory.started(body)
    announce(body)
    await kept
  }
  const ended = (body: { callId: string; at: string }) =>
    memory.ended(body.callId, body.at, configuration.emergency.callbackMs)

  // what a replica took with it when it went is told by another after 5 s, not after the usual 30
  const durable = (name: string) => ({ durable: `location-emergency-${name}`, batch: 50, ackWaitMs: 5000 })
  const since = { sinceMs: REGISTRATION_LEASE_MS }
  const stops: Stop[] = [
    bus.answer(Locate, answer),
    bus.answer(ListIncidents, ({ limit }) => ({ incidents: incidentLog.list(Math.min(limit ?? 100, LIST_LIMIT)) })),
    // live for speed, and durably so that nothing is missed: what comes twice counts once
    bus.hear(EmergencyStarted, started),
    bus.hear(EmergencyEnded, ended),
    bus.consume(EmergencyStarted, durable('started'), async (batch) => {
      for (const d of batch) {
        if (d.kind !== 'fact') continue
        await started(d.body)
      }
    }),
    bus.consume(EmergencyAttempted, durable('attempted'), async (batch) => {
      for (const d of batch) if (d.kind === 'fact') await keep(attemptedEntry(d.body))
    }),
    bus.consume(EmergencyEnded, durable('ended'), async (batch) => {
      for (const d of batch) {
        if (d.kind !== 'fact') continue
        await keep(endedEntry(d.body))
        ended(d.body)
      }
    }),
    bus.follow(RegistrationBound, since, memory.bound),
    bus.follow(RegistrationRemoved, since, memory.removed),
  ]

  const sweep = setInterval(() => {
    memory.sweep(now())
    if (announced.size > 10_000) announced.clear()
  }, SWEEP_MS)

  return {
    configure(changed) {
      configuration = changed
      places = placesOf(changed)
      for (const { row, why } of places.wiremap.bad) log.warn({ row, why }, 'a row of the wiremap is left out')
    },
    stop: async () => {
      clearInterval(sweep)
      await Promise.all(stops.map((stop) => stop()))
      await desk.stop()
    },
  }
}
