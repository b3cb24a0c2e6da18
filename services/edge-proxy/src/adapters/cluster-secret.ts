/** What proves that an edge of this cluster wrote a call key: `edge.cluster.secret`, else one of this data folder alone. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Configuration } from '@tandem/config/schema.ts'
import { type Environment, resolveSecret } from '@tandem/config/secrets.ts'
import type { Logger } from '@tandem/observability/log.ts'

export interface ClusterSecretParts {
  readonly config: () => Configuration
  readonly env: Environment
  /** `<TANDEM_DATA>/edge` */
  readonly folder: string
  readonly log: Logger
}

/** Read anew with each configuration revision. */
export function clusterSecret(parts: ClusterSecretParts): () => KeyObject {
  let known: { readonly config: Configuration; readonly secret: KeyObject } | undefined
  let own: Uint8Array | undefined
  return () => {
    const config = parts.config()
    if (known?.config === config) return known.secret
    const reference = config.edge.clusterSecret
    const found = reference === null ? undefined : resolveSecret(reference, parts.env)
    // calls are taken over all the same; only a request that reaches another edge first is not told whose it is
    if (found?.kind === 'missing') parts.log.error({ why: found.message }, 'edge.cluster.secret cannot be read')
    if (found?.kind !== 'ok') own ??= ownSecret(parts.folder)
    const secret = createSecretKey(found?.kind === 'ok' ? Buffer.from(found.value) : (own as Uint8Array))
    known = { config, secret }
    return secret
  }
}

function ownSecret(folder: string): Uint8Array {
  const file = join(folder, 'cluster-secret')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  try {
    return readFileSync(file)
  } catch {
    const made = randomBytes(32)
    writeFileSync(file, made, { mode: 0o600 })
    return made
  }
}
