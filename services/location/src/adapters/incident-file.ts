/** The incident log on disk: one JSON object a line, only ever appended, forced to the disk before anybody is told so. */
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brokenAt, type IncidentEntry } from '../domain/incident.ts'

export type KeptEntry = IncidentEntry & { readonly key: string }

export interface IncidentFile {
  /** What was kept, in order. */
  readonly kept: readonly KeptEntry[]
  /** What was wrong with the file: a last line that was cut off, or a chain that does not hold. */
  readonly trouble: string | undefined
  /** Resolves when the entry and all before it are on the disk. Rejects when they are not; they are tried again with the next. */
  append(entry: KeptEntry): Promise<void>
  /** Tries again what is not on the disk yet. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** `folder` is made when it is missing; readable by its owner only. */
export async function openIncidentFile(folder: string): Promise<IncidentFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'incidents.jsonl')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const { kept, trouble } = readLines(text)
  const file: FileHandle = await open(path, 'a', 0o600)
  // a line that a crash cut off stays as it is; the next one begins on a line of its own
  if (text !== '' && !text.endsWith('\n')) await file.write('\n')
  const pending: KeptEntry[] = []
  let writing: Promise<void> = Promise.resolve()
  let cut = false

  async function write(): Promise<void> {
    while (pending.length > 0) {
      const lines = pending.map((entry) => `${JSON.stringify(entry)}\n`)
      try {
        await file.write((cut ? '\n' : '') + lines.join(''))
        await file.datasync()
        cut = false
      } catch (error) {
        cut = true
        throw error
      }
      pending.splice(0, lines.length)
    }
  }
  const flush = (): Promise<void> => {
    writing = writing.then(write, write)
    return writing
  }

  return {
    kept,
    trouble,
    flush,
    append(entry) {
      pending.push(entry)
      return flush()
    },
    close: async () => {
      await flush().catch(() => {})
      await file.close()
    },
  }
}

function readLines(text: string): { kept: KeptEntry[]; trouble: string | undefined } {
  const kept: KeptEntry[] = []
  let trouble: string | undefined
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '') continue
    try {
      kept.push(JSON.parse(line) as KeptEntry)
    } catch {
      trouble = `line ${i + 1} is cut off`
    }
  }
  const broken = brokenAt(kept)
  if (broken !== undefined) trouble = `the chain breaks at entry ${broken + 1}: something was changed`
  return { kept, trouble }
}
