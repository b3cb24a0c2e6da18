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

/** Names of the environment variables that the configuration takes secrets from, passwords and keys, each once. */
export function secretNames(configuration: Configuration): string[] {
  const references: (SecretReference | null | undefined)[] = Object.values(configuration.users).map((u) => u.password)
  for (const { register, credentials, authenticate } of Object.values(configuration.trunks)) {
    references.push(register?.password, credentials?.password, authenticate?.password)
  }
  references.push(configuration.edge.clusterSecret, configuration.edge.capture?.password)
  return [...new Set([...namesOf(references), ...keyNames(configuration)])]
}

/** Those of private keys among them: nobody can make one up. */
export function keyNames(configuration: Configuration): string[] {
  return [...new Set(namesOf(Object.values(configuration.trunks).map(({ stir }) => stir.sign?.key)))]
}

function namesOf(references: readonly (SecretReference | null | undefined)[]): string[] {
  return references.flatMap((r) => (r && 'env' in r ? [r.env] : []))
}
