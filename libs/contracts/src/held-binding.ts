/**
 * A binding of the registrar as every edge knows it: the value of a key (its binding id) in the KV bucket `bindings`.
 * Written and read by edges alone: it says where phones are, and what requests to them must carry.
 */
import Type, { type Static } from 'typebox'
import { Count, Id, Name } from './values.ts'

export const BINDINGS_BUCKET = 'bindings'

const Host = Type.String({ maxLength: 256 })
const Transport = Type.Union([
  Type.Literal('UDP'),
  Type.Literal('TCP'),
  Type.Literal('TLS'),
  Type.Literal('WS'),
  Type.Literal('WSS'),
])

export const HeldBinding = Type.Object({
  version: Type.Literal(1),
  bindingId: Id,
  user: Name,
  /** The edge that took the REGISTER, and which of its lives. */
  owner: Type.Object({ edge: Id, life: Id }),
  /** JSON, as the registrar of that edge keeps it on its own disk (RFC 3261 10.3, RFC 5626 6). */
  binding: Type.String({ maxLength: 65_536 }),
  /** Wall clock of that edge, ms: the REGISTER, and the end. */
  boundAt: Count,
  expiresAt: Count,
  /** Where the phone's flow ends. */
  flow: Type.Object({
    listener: Name,
    transport: Transport,
    /** Of the phone, as its packets come. */
    address: Host,
    port: Count,
    /** Of that edge towards this phone: what a Contact says so that the phone's requests come back over this flow. */
    sentBy: Host,
  }),
  /** Where that edge takes requests for the flow (RFC 5626 5.3). Left out: it has no listener for other edges. */
  hop: Type.Optional(Type.Object({ listener: Name, transport: Transport, address: Host, port: Count })),
})
export type HeldBinding = Static<typeof HeldBinding>
