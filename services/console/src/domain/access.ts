/** Who may do what over HTTP. Roles are ordered but for `emergency`, which alone (with admin) reads places. */
export type Role = 'viewer' | 'operator' | 'emergency' | 'admin'
export const roles: readonly Role[] = ['viewer', 'operator', 'emergency', 'admin']

/** What a route asks for. */
export type Need = 'read' | 'operate' | 'locate' | 'administer'

const granted: Record<Role, readonly Need[]> = {
  viewer: ['read'],
  operator: ['read', 'operate'],
  emergency: ['read', 'locate'],
  admin: ['read', 'operate', 'locate', 'administer'],
}

export function may(role: Role, need: Need): boolean {
  return granted[role].includes(need)
}

export interface TokenEntry {
  /** Who holds it: goes into the history and the audit. */
  readonly name: string
  readonly role: Role
  /** SHA-256 of the token, hex: the token itself is never stored here. */
  readonly sha256: string
}

/** The file of tokens; throws with what to write instead. */
export function readTokens(text: string): TokenEntry[] {
  const parsed: unknown = JSON.parse(text)
  if (!Array.isArray(parsed))
    throw new Error('the token file is a list: [{"name": "ops", "role": "operator", "sha256": "…"}]')
  return parsed.map((e: unknown, i) => {
    const entry = e as Partial<TokenEntry>
    if (
      typeof entry.name !== 'string' ||
      !roles.includes(entry.role as Role) ||
      !/^[0-9a-f]{64}$/.test(entry.sha256 ?? '')
    ) {
      throw new Error(`token ${i + 1}: needs name, role (${roles.join(', ')}) and sha256 (64 hex digits)`)
    }
    return { name: entry.name, role: entry.role as Role, sha256: entry.sha256 as string }
  })
}
