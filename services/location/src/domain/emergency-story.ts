/** Facts of an emergency call as entries of its record, and as words for the desk (location.md L16, L18). */
import type { Body } from '@tandem/contracts/contract.ts'
import type {
  EmergencyAttempted,
  EmergencyEnded,
  EmergencyNotified,
  EmergencyStartedBody,
} from '@tandem/contracts/emergency.ts'
import type { Place } from '@tandem/contracts/values.ts'
import type { IncidentEntry } from './incident.ts'

export interface Told {
  /** Same for the same fact heard again. */
  readonly key: string
  readonly entry: Omit<IncidentEntry, 'hash'>
}

/** The place stands in the head of the incident, which needs a role to be read; the words carry its name only. */
export function startedEntry(body: EmergencyStartedBody): Told {
  const where = body.place?.ref ?? (body.place ? 'a place without a name' : 'an unknown place')
  const how = [
    body.source ?? 'unknown source',
    body.routeClass,
    ...body.standingOrder.map((s) => `${s} by standing order`),
  ]
  const who = body.user ?? `an unknown device at ${body.sourceAddress}`
  const { test, user, callback, place } = body
  return {
    key: 'started',
    entry: {
      ...{ callId: body.callId, at: body.at },
      what: short(
        `${who} dialled ${body.dialled} from ${body.sourceAddress}: ${where} (${how.join(', ')})${test ? ', a test' : ''}`,
      ),
      about: {
        test,
        ...(user === undefined ? {} : { user }),
        ...(callback === undefined ? {} : { callback }),
        ...(place === undefined ? {} : { place }),
      },
    },
  }
}

export function attemptedEntry(body: Body<typeof EmergencyAttempted>): Told {
  const status = body.sipStatus === undefined ? '' : ` ${body.sipStatus}`
  return {
    key: `attempted ${body.rung} ${body.trunk} ${body.outcome}`,
    entry: {
      ...{ callId: body.callId, at: body.at },
      what: short(
        `rung ${body.rung}: ${body.called} by ${body.trunk} ${body.outcome}${status} after ${Math.round(body.afterMs)} ms`,
      ),
    },
  }
}

export function endedEntry(body: Body<typeof EmergencyEnded>): Told {
  const what = body.answered ? `ended after ${Math.round(body.durationMs / 1000)} s` : 'ended without an answer'
  return { key: 'ended', entry: { callId: body.callId, at: body.at, what } }
}

export function notifiedEntry(body: Body<typeof EmergencyNotified>): Told {
  const outcome = body.delivered ? 'told' : 'could not be told'
  const detail = body.detail === undefined ? '' : `: ${body.detail}`
  return {
    key: `notified ${body.target}`,
    entry: {
      ...{ callId: body.callId, at: body.at },
      what: short(`${body.target} ${outcome} by ${body.channel} after ${Math.round(body.afterMs)} ms${detail}`),
    },
  }
}

function short(text: string): string {
  return text.slice(0, 1024)
}

/** What the desk reads: the same content as the PSAP gets. */
export function deskText(body: EmergencyStartedBody): string {
  const who = [body.user ?? 'an unknown device', body.display && body.display !== body.user ? `(${body.display})` : '']
  return [
    `${body.test ? 'TEST of an emergency call' : 'EMERGENCY CALL'}: ${who.filter(Boolean).join(' ')} dialled ${body.dialled}`,
    `Time: ${body.at}`,
    `Place: ${body.place ? addressLine(body.place) : 'unknown'}`,
    `Known from: ${body.source ?? 'nothing'}, ${body.routeClass === 'direct' ? 'straight to the PSAP' : 'by the relay centre'}`,
    `Call back: ${body.callback ?? 'no number'}`,
    `From: ${body.sourceAddress}${body.site ? ` (${body.site})` : ''}`,
    `Call: ${body.callId}`,
  ].join('\n')
}

const streetFields = [
  'HNP',
  'HNO',
  'HNS',
  'PRM',
  'PRD',
  'STP',
  'RD',
  'STS',
  'POD',
  'POM',
  'RDSEC',
  'RDBR',
  'RDSUBBR',
] as const
const insideFields: readonly (readonly [field: string, word: string])[] = [
  ...([
    ['NAM', ''],
    ['BLD', 'building'],
    ['FLR', 'floor'],
    ['UNIT', 'unit'],
    ['ROOM', 'room'],
    ['SEAT', 'seat'],
  ] as const),
  ...([
    ['LOC', ''],
    ['LMK', 'near'],
    ['MP', 'milepost'],
    ['PN', 'post'],
    ['PLC', ''],
  ] as const),
]
const townFields = ['A6', 'A5', 'A4', 'A3', 'PCN', 'A2', 'A1', 'PC', 'country'] as const

/** One line, the inside first: the people who run there know the street. */
export function addressLine(place: Place): string {
  const civic = place.civic ?? {}
  const inside = insideFields.flatMap(([field, word]) => (civic[field] ? [`${word} ${civic[field]}`.trim()] : []))
  const street = streetFields.flatMap((field) => civic[field] ?? []).join(' ')
  const town = townFields.flatMap((field) => civic[field] ?? []).join(' ')
  const point = place.point
  const geo = point
    ? [
        `${point.latitude}, ${point.longitude}${point.radius === undefined ? '' : ` within ${Math.round(point.radius)} m`}`,
      ]
    : []
  const line = [...inside, street, town, ...geo].filter((part) => part !== '').join(', ')
  return line === '' ? (place.ref ?? 'unknown') : line
}
