/**
 * Bindings on this disk, so that phones are reached again at once after a restart and not only when they register anew.
 * Written in batches behind the calls; the last quarter of a second may be lost, and with it nothing but a refresh.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Logger } from '@tandem/observability/log.ts'
import type { Clock, Timer } from '../edge.ts'

const BATCH_MS = 250

export interface StoredBinding {
  readonly bindingId: string
  readonly user: string
  /** JSON. */
  readonly body: string
  /** Wall clock, ms. */
  readonly expiresAt: number
}

export interface BindingStore {
  put(binding: StoredBinding): void
  remove(bindingId: string): void
  /** Those that have not run out; what has is deleted. */
  load(now: number): readonly StoredBinding[]
  /** 32 random bytes that outlive the process: what was sealed with them can be opened again. */
  key(): Uint8Array
  close(): void
}

/** `folder`: `<TANDEM_DATA>/edge`, made when it is not there. A store that cannot be read is begun anew. */
export function openBindingStore(parts: { folder: string; clock: Clock; log: Logger }): BindingStore {
  const { clock, log } = parts
  const db = open(parts.folder, log)
  const put = db.prepare('INSERT OR REPLACE INTO binding (id, user, body, expires) VALUES (?, ?, ?, ?)')
  const remove = db.prepare('DELETE FROM binding WHERE id = ?')
  // the newest word on each binding; undefined: it is gone
  const waiting = new Map<string, StoredBinding | undefined>()
  let timer: Timer | undefined

  const flush = () => {
    timer = undefined
    try {
      db.exec('BEGIN')
      for (const [id, b] of waiting) {
        if (b) put.run(id, b.user, b.body, b.expiresAt)
        else remove.run(id)
      }
      db.exec('COMMIT')
    } catch (error) {
      log.warn({ err: error }, 'bindings could not be kept on disk')
      if (db.isTransaction) db.exec('ROLLBACK')
    }
    waiting.clear()
  }
  const later = (id: string, binding: StoredBinding | undefined) => {
    waiting.set(id, binding)
    timer ??= clock.setTimer(BATCH_MS, flush)
  }

  return {
    put: (binding) => later(binding.bindingId, binding),
    remove: (id) => later(id, undefined),
    load(now) {
      db.prepare('DELETE FROM binding WHERE expires <= ?').run(now)
      const rows = db.prepare('SELECT id, user, body, expires FROM binding').all()
      return rows.map((r) => ({
        bindingId: String(r.id),
        user: String(r.user),
        body: String(r.body),
        expiresAt: Number(r.expires),
      }))
    },
    key() {
      db.prepare('INSERT OR IGNORE INTO sealing (id, key) VALUES (1, ?)').run(randomBytes(32))
      return Buffer.from(db.prepare('SELECT key FROM sealing').get()?.key as Uint8Array)
    },
    close() {
      if (timer) clock.clearTimer(timer)
      if (waiting.size > 0) flush()
      db.close()
    },
  }
}

function open(folder: string, log: Logger): DatabaseSync {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'bindings.db')
  try {
    return begin(file)
  } catch (error) {
    log.warn({ err: error, file }, 'the kept bindings cannot be read: begun anew')
    for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true })
    return begin(file)
  }
}

function begin(file: string): DatabaseSync {
  const db = new DatabaseSync(file)
  try {
    // losing the last moments at a power cut is fine: phones register again
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS binding (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL,
        body TEXT NOT NULL,
        expires INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS sealing (id INTEGER PRIMARY KEY, key BLOB NOT NULL);
    `)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}
