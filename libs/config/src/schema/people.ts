/** `users` and `numbers`: who is rung, and which numbers are theirs. */
import Type, { type Static } from 'typebox'
import { SHAPES } from '../shapes.ts'
import { Digest, Duration, E164, list, Name, object, Pattern, Secret, Srtp, shaped, text } from './words.ts'

const NoAnswer = object(
  { to: text('user, number or mobile'), after: Type.Optional(Duration('ring time')) },
  'where calls go that nobody answers, and after which time',
)

/** `noAnswer: bob` with `after` beside it, or `noAnswer: { to: bob, after: 15s }`. */
const Forward = object(
  {
    always: Type.Optional(text('user, number or mobile: gets every call')),
    busy: Type.Optional(text('user, number or mobile: gets calls while the user is busy, and those declined')),
    noAnswer: Type.Optional(
      Type.Unsafe<string | Static<typeof NoAnswer>>({
        description: 'user, number or mobile: gets calls that nobody answers; { to, after } says after which time',
        anyOf: [text('user, number or mobile'), NoAnswer],
      }),
    ),
    unreachable: Type.Optional(
      text('user, number or mobile: gets calls while no phone is registered or answers; as noAnswer when left out'),
    ),
    after: Type.Optional(Duration('ring time before noAnswer')),
  },
  'call forwarding',
)

export const User = object(
  {
    did: Type.Optional(E164('direct inward dialling number')),
    extension: Type.Optional(shaped(SHAPES.digits, 'extension')),
    name: Type.Optional(text('name shown to people')),
    site: Name('site'),
    pool: Type.Optional(Name('pool')),
    policy: Name('policy'),
    dialPlan: Type.Optional(Name('dial plan')),
    mobile: Type.Optional(E164('mobile number')),
    simultaneousRing: Type.Optional(Type.Boolean({ description: 'ring the mobile together with the phones' })),
    forward: Type.Optional(Forward),
    location: Type.Optional(Name('location')),
    costCentre: Type.Optional(Name('cost centre')),
    callerId: Type.Optional(E164('number shown instead of the DID')),
    mayShow: Type.Optional(list(Pattern, 'other numbers that the phone may show by its From', { maxItems: 100 })),
    emergencyCallback: Type.Optional(E164('number by which emergency services call back; the DID when left out')),
    digest: Type.Optional(Digest('digest algorithms of this user; those of the listener when left out')),
    password: Secret,
    srtp: Srtp('of the phones; that of the listener when left out'),
  },
  'a user',
)

export const NumberEntry = object(
  {
    number: Type.Optional(E164('one number')),
    range: Type.Optional(shaped(SHAPES.e164Range, 'first and last number')),
    file: Type.Optional(
      text('CSV with the columns number,user,reserved,failover,policy,note; path relative to this file'),
    ),
    user: Type.Optional(Name('user: has this number beside the DID')),
    reserved: Type.Optional(Type.Boolean({ description: 'kept back: calls to it are refused with 404' })),
    failover: Type.Optional(
      text('user or E.164 number: gets the calls when nobody has the number, or no phone of who has it is registered'),
    ),
    policy: Type.Optional(Name('policy: its forward usages carry calls to a failover number')),
    note: Type.Optional(text('for people')),
  },
  'numbers that the carriers gave us',
)

const FactSource = (description: string) =>
  Type.Optional(
    object(
      {
        source: shaped(SHAPES.factSource, 'where the CSV is; read by routing, never while a call waits'),
        refresh: Type.Optional(Duration('how often it is read again')),
      },
      description,
    ),
  )

export const NumberFacts = object(
  {
    portability: FactSource('number,routingNumber,carrier: who serves a ported number; least cost goes by it'),
    callerNames: FactSource('number,name: shown where the carrier sends no name (CNAM)'),
  },
  'what is known of numbers that are not ours',
)
