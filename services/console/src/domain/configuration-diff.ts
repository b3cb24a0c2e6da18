/** What a new configuration changes, path by path. */
export interface Change {
  path: string
  kind: 'added' | 'removed' | 'changed'
  before?: string
  after?: string
}

const show = (v: unknown): string => {
  const text = typeof v === 'string' ? v : (JSON.stringify(v) ?? 'undefined')
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
const isMap = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)

/** Maps are compared key by key; lists of named things by their names, other lists as a whole. */
export function configurationDiff(before: unknown, after: unknown, path = ''): Change[] {
  if (isMap(before) && isMap(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((k) => configurationDiff(before[k], after[k], path === '' ? k : `${path}.${k}`))
  }
  const named = namedLists(before, after)
  if (named) return configurationDiff(named.before, named.after, path)
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (before === undefined) return [{ path, kind: 'added', after: show(after) }]
  if (after === undefined) return [{ path, kind: 'removed', before: show(before) }]
  return [{ path, kind: 'changed', before: show(before), after: show(after) }]
}

function namedLists(
  before: unknown,
  after: unknown,
): { before: Record<string, unknown>; after: Record<string, unknown> } | undefined {
  const index = (v: unknown): Record<string, unknown> | undefined => {
    if (!Array.isArray(v) || !v.every((e) => isMap(e) && typeof e.name === 'string')) return undefined
    return Object.fromEntries(
      v.map((e, i) => [`${(e as { name: string }).name}`, { ...(e as object), position: i + 1 }]),
    )
  }
  const b = index(before)
  const a = index(after)
  return b && a ? { before: b, after: a } : undefined
}
