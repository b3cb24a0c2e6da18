/** What an operator wants to be warned of. */
import Type from 'typebox'
import { fact } from './contract.ts'
import { Foreign, Id, Instant, Name } from './values.ts'

/** A request was refused for who sent it: wrong password, unknown trunk, ambiguous trunk, scanner, flood. */
export const SecurityRefused = fact({
  subject: 'security.v1.refused',
  body: Type.Object({
    edge: Id,
    at: Instant,
    source: Type.String({ maxLength: 128 }),
    listener: Name,
    method: Type.String({ maxLength: 32 }),
    why: Foreign,
    user: Type.Optional(Foreign),
  }),
  toldBy: ['edge-proxy'],
  heardBy: ['console'],
})

/** A certificate or key of ours cannot be used (any more), or can again; what was in use before stays in use. */
export const SecurityCredentialChanged = fact({
  subject: 'security.v1.credential-changed',
  body: Type.Object({
    edge: Id,
    at: Instant,
    /** Where it is configured: `listener remote`, `trunk itsp-a tls`, `trunk itsp-a stir`. */
    what: Name,
    usable: Type.Boolean(),
    /** Never holds the key. */
    why: Type.Optional(Foreign),
  }),
  toldBy: ['edge-proxy'],
  heardBy: ['console'],
})
