/** What proves that an edge of this cluster wrote something: `edge.cluster.secret`, else one of this data folder alone. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Configuration } from '@tandem/config/schema.ts'
import { type Environment, resolveSecret } from '@tandem/config/secrets.ts'
import type { Logger } from '@tandem/observability/log.ts'

export interface SharedSecretParts {
  readonly config: () => Configuration
  readonly env: Environment
  readonly log: Logger
}

export interface ClusterSecretParts extends SharedSecretParts {
  /** `<TANDEM_DATA>/edge` */
  readonly folder: string
}

/** That of all edges, read anew with each configuration revision; undefined: there is none. */
export function sharedSecret(parts: SharedSecretParts): () => KeyObject | undefined {
  let known: { readonly config: Configuration; readonly secret: KeyObject | undefined } | undefined
  return () => {
    const config = parts.config()
    if (known?.config === config) return known.secret
    const reference = config.edge.clusterSecret
    const found = reference === null ? undefined : resolveSecret(reference, parts.env)
    // calls are taken over all the same; only a request that reaches another edge first is not told whose it is
    if (found?.kind === 'missing') parts.log.error({ why: found.message }, 'edge.cluster.secret cannot be read')
    const read = found?.kind === 'ok' ? createSecretKey(Buffer.from(found.value)) : undefined
    // the same key as long as it is the same secret: others are derived from it
    const same = read && known?.secret?.equals(read)
    known = { config, secret: same ? known?.secret : read }
    return known.secret
  }
}

export function clusterSecret(parts: ClusterSecretParts): () => KeyObject {
  const shared = sharedSecret(parts)
  let own: KeyObject | undefined
  return () => {
    const found = shared()
    if (found !== undefined) return found
    own ??= createSecretKey(ownSecret(parts.folder))
    return own
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
