/** Secrets and key files: where the configuration only says where they are. */
import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Configuration } from './defaults.ts'
import type { SecretReference } from './schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type ResolvedSecret = { kind: 'ok'; value: string } | { kind: 'missing'; message: string }

/** The secret itself. The message of `missing` says what to set and never contains a secret. */
export function resolveSecret(reference: SecretReference, env: Environment): ResolvedSecret {
  if ('env' in reference) {
    const value = env[reference.env]
    if (value !== undefined && value !== '') return { kind: 'ok', value }
    return { kind: 'missing', message: `the environment has no ${reference.env}: set it, or let "tandem up" make one` }
  }
  const path = findFile(reference.file, env)
  if (path === null) return { kind: 'missing', message: `there is no file ${reference.file}: write the secret into it` }
  try {
    return { kind: 'ok', value: readFileSync(path, 'utf8').replace(/\r?\n$/, '') }
  } catch (error) {
    return { kind: 'missing', message: `${path} cannot be read: ${(error as Error).message}` }
  }
}

/**
 * A file that the configuration names (certificate, key, secret): as it is when absolute, else beside the configuration
 * (`TANDEM_CONFIG_DIR`, set by `tandem up`), else under `$TANDEM_DATA/secrets`. Null when it is nowhere.
 */
export function findFile(path: string, env: Environment): string | null {
  const places = isAbsolute(path)
    ? [path]
    : [
        ...(env.TANDEM_CONFIG_DIR ? [join(env.TANDEM_CONFIG_DIR, path)] : []),
        join(env.TANDEM_DATA ?? '.tandem', 'secrets', path),
      ]
  return places.find((place) => existsSync(place)) ?? null
}

/** Names of the environment variables that the configuration takes secrets from, each once. */
export function secretNames(configuration: Configuration): string[] {
  const references: SecretReference[] = Object.values(configuration.users).map((u) => u.password)
  for (const trunk of Object.values(configuration.trunks)) {
    if (trunk.register) references.push(trunk.register.password)
    if (trunk.credentials) references.push(trunk.credentials.password)
  }
  if (configuration.edge.clusterSecret) references.push(configuration.edge.clusterSecret)
  if (configuration.edge.capture?.password) references.push(configuration.edge.capture.password)
  return [...new Set(references.flatMap((r) => ('env' in r ? [r.env] : [])))]
}
