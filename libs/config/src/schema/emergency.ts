/** `locations`, `wires` and `emergency`: where callers are, and what help needs. */
import Type from 'typebox'
import { SHAPES } from '../shapes.ts'
import { Duration, E164, list, Name, Names, Network, named, object, shaped, text } from './words.ts'

const civicField = (description: string) => Type.Optional(text(description, { maxLength: 256 }))

/** RFC 5139 and RFC 6848 civic address elements. */
const CIVIC = {
  A1: 'state or province',
  A2: 'county',
  A3: 'city',
  A4: 'city district',
  A5: 'neighbourhood',
  A6: 'street group',
  PRM: 'road pre-modifier',
  PRD: 'leading street direction',
  RD: 'road',
  STS: 'street suffix',
  POD: 'trailing street suffix',
  POM: 'road post-modifier',
  RDSEC: 'road section',
  RDBR: 'road branch',
  RDSUBBR: 'road sub-branch',
  HNO: 'house number',
  HNS: 'house number suffix',
  HNP: 'house number prefix',
  LMK: 'landmark',
  LOC: 'additional location',
  FLR: 'floor',
  NAM: 'name (residence, business)',
  PC: 'postal code',
  BLD: 'building',
  UNIT: 'unit',
  ROOM: 'room',
  SEAT: 'seat (desk)',
  PLC: 'type of place',
  PCN: 'postal community',
  POBOX: 'post office box',
  ADDCODE: 'additional code',
  MP: 'milepost',
  STP: 'street type prefix',
  PN: 'post number',
} as const

const civicFields = Object.fromEntries(Object.entries(CIVIC).map(([k, v]) => [k, civicField(v)])) as Record<
  keyof typeof CIVIC,
  ReturnType<typeof civicField>
>

export const Location = object(
  {
    country: shaped(SHAPES.country, 'ISO 3166 country'),
    ...civicFields,
    geo: Type.Optional(
      object(
        {
          latitude: Type.Number({ minimum: -90, maximum: 90, description: 'degrees, WGS 84' }),
          longitude: Type.Number({ minimum: -180, maximum: 180, description: 'degrees, WGS 84' }),
          altitude: Type.Optional(Type.Number({ minimum: -500, maximum: 10_000, description: 'metres' })),
          radius: Type.Optional(Type.Number({ minimum: 0, maximum: 1_000_000, description: 'uncertainty in metres' })),
        },
        'where it is on the earth',
      ),
    ),
  },
  'a civic address (RFC 5139)',
)

export const Wire = object(
  {
    bssid: Type.Optional(shaped(SHAPES.mac, 'access point')),
    chassis: Type.Optional(shaped(SHAPES.mac, 'switch (LLDP chassis id)')),
    port: Type.Optional(text('switch port (LLDP port id), with chassis', { maxLength: 128 })),
    subnet: Type.Optional(Network),
    location: Name('location'),
  },
  'one place of the network and where it is',
)

export const Emergency = object(
  {
    numbers: list(shaped(SHAPES.shortCode, 'emergency number as dialled'), 'emergency numbers', {
      maxItems: 32,
      uniqueItems: true,
    }),
    test: Type.Optional(
      list(shaped(SHAPES.shortCode, 'test number as dialled'), 'test numbers', { maxItems: 32, uniqueItems: true }),
    ),
    trunks: Names('trunk', { maxItems: 64, uniqueItems: true }),
    relayCentre: Type.Optional(
      E164('relay centre that answers when no trunk takes the call, or the address is not validated'),
    ),
    desk: Type.Optional(
      list(shaped(SHAPES.desk, 'SIP URI (gets a MESSAGE) or webhook'), 'who is told', {
        maxItems: 64,
        uniqueItems: true,
      }),
    ),
    elins: Type.Optional(
      named(
        list(E164('ELIN'), 'emergency location identification numbers', { uniqueItems: true }),
        'ELINs by site or location',
      ),
    ),
    callback: Type.Optional(Duration('how long a call from the PSAP finds the caller again')),
    timers: Type.Optional(
      object(
        {
          noResponse: Type.Optional(Duration('no response at all: next rung')),
          tryingOnly: Type.Optional(Duration('only 100 Trying: next rung')),
        },
        'fail-over timers of emergency calls',
      ),
    ),
  },
  'emergency calling',
)
