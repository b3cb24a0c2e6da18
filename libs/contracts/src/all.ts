/** Every contract there is: permissions, golden files and the AsyncAPI document are derived from this list. */
import * as billing from './billing.ts'
import * as call from './call.ts'
import * as config from './config.ts'
import type { FactContract, RequestContract } from './contract.ts'
import * as edge from './edge.ts'
import * as emergency from './emergency.ts'
import * as location from './location.ts'
import * as presence from './presence.ts'
import * as registration from './registration.ts'
import * as routing from './routing.ts'
import * as security from './security.ts'

const modules: readonly Record<string, unknown>[] = [
  billing,
  call,
  config,
  edge,
  emergency,
  location,
  presence,
  registration,
  routing,
  security,
]

function of<K extends 'request' | 'fact'>(kind: K): unknown[] {
  return modules.flatMap((m) => Object.values(m)).filter((v) => (v as { kind?: unknown } | null)?.kind === kind)
}

export const requests = of('request') as readonly RequestContract[]
export const facts = of('fact') as readonly FactContract[]
