/** Values that several contracts share. Every string and list is bounded: the bus carries nothing unbounded. */
import Type, { type Static } from 'typebox'

/** Our own id: one NATS subject token. */
export const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' })
/** Wall clock, ISO 8601 in UTC with milliseconds. Durations never come from it. */
export const Instant = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?Z$' })
/** A name from the configuration: user, trunk, site, location … */
export const Name = Type.String({ minLength: 1, maxLength: 128 })
/** Text that came from outside (a dialled string, a display name): never part of a subject. */
export const Foreign = Type.String({ maxLength: 1024 })
/** A SIP or SIPS URI. */
export const Uri = Type.String({ maxLength: 2048 })
/** Milliseconds, monotonic, not negative. */
export const Milliseconds = Type.Number({ minimum: 0 })
/** 0 to 100. */
export const Percent = Type.Number({ minimum: 0, maximum: 100 })
/** Mean opinion score (ITU-T P.800.1), 1 to 5. */
export const Mos = Type.Number({ minimum: 1, maximum: 5 })
export const Count = Type.Integer({ minimum: 0 })
/** Exact decimal: never a float. */
export const Decimal = Type.String({ pattern: '^-?\\d{1,24}(\\.\\d{1,10})?$' })

/** Who stands at the far end of a leg. */
export const Party = Type.Union([
  Type.Object({ kind: Type.Literal('user'), user: Name }),
  Type.Object({ kind: Type.Literal('trunk'), trunk: Name }),
  /** A device that nobody registered: only emergency calls come this far. */
  Type.Object({ kind: Type.Literal('unknown'), address: Type.String({ maxLength: 64 }) }),
])
export type Party = Static<typeof Party>

/** Address fields of RFC 5139 and RFC 6848 by their element names, and where on Earth if known. */
export const Place = Type.Object({
  /** Name of the location in the configuration: what logs and traces may show. */
  ref: Type.Optional(Name),
  civic: Type.Optional(Type.Record(Type.String({ maxLength: 16 }), Type.String({ maxLength: 256 }))),
  /** WGS 84 degrees; radius in metres. */
  point: Type.Optional(
    Type.Object({ latitude: Type.Number(), longitude: Type.Number(), radius: Type.Optional(Type.Number()) }),
  ),
})
export type Place = Static<typeof Place>
