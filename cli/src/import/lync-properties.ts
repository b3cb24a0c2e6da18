/** Properties of what the Get-Cs… cmdlets give, whatever the export made of them. */
import { type ExportedObject, type ExportedValue, isObject } from './export-file.ts'

/** PowerShell does not mind capitals. */
export function property(values: ExportedObject, name: string): ExportedValue | undefined {
  if (Object.hasOwn(values, name)) return values[name]
  const found = Object.keys(values).find((key) => key.toLowerCase() === name.toLowerCase())
  return found === undefined ? undefined : values[found]
}

export const has = (values: ExportedObject, ...names: string[]): boolean =>
  names.every((name) => property(values, name) !== undefined)

export function textOf(values: ExportedObject, name: string): string {
  const value = property(values, name)
  return typeof value === 'string' ? value.trim() : typeof value === 'number' ? String(value) : ''
}

/** `True` in a CSV, true elsewhere; undefined when nothing is said. */
export function flagOf(values: ExportedObject, name: string): boolean | undefined {
  const value = property(values, name)
  if (typeof value === 'boolean') return value
  return typeof value === 'string' && /^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : undefined
}

export function numberOf(values: ExportedObject, name: string): number | undefined {
  const text = textOf(values, name)
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

/** Export-Csv writes the type of a list in place of what is in it. */
export const lost = 'lost'

/** Names, or rules; `lost` when the export kept only their type. */
export function listOf(values: ExportedObject, name: string): ExportedValue[] | typeof lost {
  const value = property(values, name)
  if (Array.isArray(value)) return value
  if (isObject(value)) return [value]
  if (typeof value !== 'string' || value.trim() === '' || value.trim() === '{}') return []
  if (/^(System\.|Microsoft\.|Deserialized\.)/.test(value)) return lost
  const inside = value.trim().replace(/^[{(]|[)}]$/g, '')
  return inside.split(/[,;]/).map((one) => one.trim().replace(/^"|"$/g, ''))
}

export type Scope =
  | { readonly kind: 'global' }
  | { readonly kind: 'site' | 'pool' | 'trunk' | 'tag'; readonly name: string }

/** `Global`, `Site:Redmond`, `Service:Registrar:pool01.contoso.net`, `Service:PstnGateway:gw.contoso.net`, `Tag:Sales` or only `Sales`. */
export function scopeOf(identity: string): Scope {
  if (/^global$/i.test(identity)) return { kind: 'global' }
  const [, pool] = /^(?:service:)?(?:Registrar|UserServer):(.+)$/i.exec(identity) ?? []
  if (pool !== undefined) return { kind: 'pool', name: pool }
  const [, kind = '', name = ''] = /^(site|service|tag):(?:PstnGateway:)?(.+)$/i.exec(identity) ?? []
  if (/^site$/i.test(kind)) return { kind: 'site', name }
  return /^service$/i.test(kind) ? { kind: 'trunk', name } : { kind: 'tag', name: name || identity }
}

/** `Site:Redmond/Prefix All` → where the rule belongs, and its name. */
export function parentOf(values: ExportedObject): { parent: string; name: string } {
  const identity = textOf(values, 'Identity')
  const slash = identity.indexOf('/')
  if (slash < 0) return { parent: textOf(values, 'Parent') || 'Global', name: textOf(values, 'Name') || identity }
  return { parent: identity.slice(0, slash), name: textOf(values, 'Name') || identity.slice(slash + 1) }
}

/** `PstnGateway:gw.contoso.net` → `gw.contoso.net`. */
export const gatewayName = (identity: string): string => identity.replace(/^(?:Service:)?PstnGateway:/i, '')

const longestName = 100

/** A name as the configuration has them: letters, digits, dot, dash, underscore. */
export function plainName(original: string): string {
  const plain = original
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
  return plain === '' ? 'unnamed' : plain.slice(0, longestName)
}

/** The same, and none of `taken`. */
export function freeName(original: string, taken: ReadonlySet<string>): string {
  const base = plainName(original)
  let name = base
  for (let n = 2; taken.has(name); n++) name = `${base.slice(0, longestName - 4)}-${n}`
  return name
}

/** Gives each original its name: the same one the same, different ones different ones. */
export function nameMaker(): (original: string) => string {
  const made = new Map<string, string>()
  return (original) => {
    const name = made.get(original) ?? freeName(original, new Set(made.values()))
    made.set(original, name)
    return name
  }
}
