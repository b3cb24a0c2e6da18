import { type Migration, runStatements } from '@tandem/store/migrate.ts'

export const SCHEMA = 'billing'

/** Forward only. A migration that was released is never changed. */
export const migrations: readonly Migration[] = [
  {
    name: '0001-cdr',
    up: (db) =>
      runStatements(
        db,
        `
        -- Which records were taken in: what makes a leg count once, for longer than its CDR is kept.
        CREATE TABLE billing.inbox (
          leg_id text PRIMARY KEY,
          seq bigint NOT NULL,
          stream_sequence bigint NOT NULL,
          stored_at timestamptz NOT NULL DEFAULT now()
        );

        -- One row a leg: the record as the edge told it, and its price. leg_id is unique by the inbox.
        CREATE TABLE billing.legs (
          leg_id text NOT NULL,
          call_id text NOT NULL,
          started_at timestamptz NOT NULL,
          answered boolean NOT NULL,
          duration_ms bigint NOT NULL,
          trunk text,
          user_name text,
          cost_centre text,
          cost numeric(30, 10) NOT NULL,
          cost_currency text,
          price numeric(30, 10) NOT NULL,
          price_currency text,
          config_revision bigint NOT NULL,
          trace_id text,
          record json NOT NULL,
          cost_rating json NOT NULL,
          price_rating json
        );
        CREATE INDEX legs_by_start ON billing.legs (started_at, leg_id);
        CREATE INDEX legs_by_call ON billing.legs (call_id, leg_id);

        -- Append-only. The sum of the cost entries equals the sum of the legs' cost.
        CREATE TABLE billing.ledger (
          entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          at timestamptz NOT NULL,
          leg_id text NOT NULL,
          kind text NOT NULL CHECK (kind IN ('cost', 'price')),
          account text NOT NULL,
          amount numeric(30, 10) NOT NULL,
          currency text NOT NULL,
          deck text NOT NULL,
          deck_version text NOT NULL
        );
        CREATE INDEX ledger_by_time ON billing.ledger (at);

        -- Bytes on the wire of a trunk in a 5-minute window; version counts its changes, told_version what was told.
        CREATE TABLE billing.usage_samples (
          trunk text NOT NULL,
          window_start timestamptz NOT NULL,
          bytes_in bigint NOT NULL,
          bytes_out bigint NOT NULL,
          version bigint NOT NULL DEFAULT 1,
          told_version bigint NOT NULL DEFAULT 0,
          PRIMARY KEY (trunk, window_start)
        );
        CREATE INDEX usage_untold ON billing.usage_samples (window_start) WHERE told_version < version;

        -- What could not be taken in, as it came.
        CREATE TABLE billing.dead_letters (
          letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          at timestamptz NOT NULL DEFAULT now(),
          subject text NOT NULL,
          stream_sequence bigint NOT NULL,
          why text NOT NULL,
          raw bytea NOT NULL
        );
        CREATE UNIQUE INDEX dead_letters_once ON billing.dead_letters (subject, stream_sequence, md5(raw));

        -- Every deck that priced something: an amount can be explained long after.
        CREATE TABLE billing.deck_versions (
          deck text NOT NULL,
          version text NOT NULL,
          kind text NOT NULL,
          currency text NOT NULL,
          terms json NOT NULL,
          csv text,
          first_seen timestamptz NOT NULL DEFAULT now(),
          PRIMARY KEY (deck, version)
        );
        `,
      ),
  },
  {
    name: '0002-estimates',
    up: (db) =>
      runStatements(
        db,
        `
        -- Legs that are up, by what was told of them last. due_at: silent until then, they are gone.
        CREATE TABLE billing.open_legs (
          leg_id text PRIMARY KEY,
          seq bigint NOT NULL,
          due_at timestamptz NOT NULL,
          silence_ms bigint NOT NULL,
          answered json,
          interim json
        );
        CREATE INDEX open_legs_due ON billing.open_legs (due_at);

        -- An estimate may be replaced by the truth, once.
        ALTER TABLE billing.legs ADD COLUMN estimated boolean NOT NULL DEFAULT false;
        ALTER TABLE billing.legs ADD COLUMN corrected_at timestamptz;
        UPDATE billing.legs SET estimated = true WHERE record->>'estimated' = 'true';
        CREATE INDEX legs_estimated ON billing.legs (leg_id) WHERE estimated;

        -- What stood in billing.legs before. Append-only.
        CREATE TABLE billing.leg_versions (
          leg_id text NOT NULL,
          replaced_at timestamptz NOT NULL DEFAULT now(),
          config_revision bigint NOT NULL,
          record json NOT NULL,
          cost_rating json NOT NULL,
          price_rating json,
          PRIMARY KEY (leg_id, replaced_at)
        );

        -- The entry that this one takes back.
        ALTER TABLE billing.ledger ADD COLUMN reverses bigint UNIQUE REFERENCES billing.ledger (entry_id);
        `,
      ),
  },
]
