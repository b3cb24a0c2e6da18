/** Headers of a fact: the version of its contract, what it is about, and the trace that it belongs to where there is one. */
import { type MsgHdrs, headers as newHeaders } from '@nats-io/nats-core'
import type { Context } from '@opentelemetry/api'
import type { FactContract } from '@tandem/contracts/contract.ts'
import type { Static, TSchema } from 'typebox'
import { carry, traced } from './trace.ts'

export const versionHeader = 'Tandem-Version'
/** Ids, separated by commas (`about` of a contract). */
export const aboutHeader = 'Tandem-About'

/** Most facts of a platform that nobody traces have these and no others. */
const VERSION_1 = newHeaders()
VERSION_1.set(versionHeader, '1')

/** Not to be changed. */
export function factHeaders<B extends TSchema>(contract: FactContract<B>, body: Static<B>, parent: Context): MsgHdrs {
  if (contract.version === 1 && contract.about === undefined && !traced(parent)) return VERSION_1
  const headers = carry(parent)
  headers.set(versionHeader, String(contract.version))
  if (contract.about) headers.set(aboutHeader, contract.about(body).join(','))
  return headers
}
