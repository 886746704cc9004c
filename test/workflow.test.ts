// The copy of a resharding, against a vtctld that is made up: what is tried again, and how often.

import { expect, test } from "bun:test";
import { Workflow } from "../vitess/operate/workflow.ts";

const DROPPED = "table `_vt_hld_6ace8bcef73211ea87e9f875a4d24e90_20261127000000_` doesn't exist";

/** A workflow whose one stream is always in this state, and what vtctld was asked to do. */
function withStream(state: string, message: string) {
  const calls: string[] = [];
  const stream = { state, message, position: "MySQL56/1", copy_states: [], rows_copied: "10" };
  const shown = {
    workflows: [{ max_v_replication_transaction_lag: "0", shard_streams: { "-40": { streams: [stream] } } }],
  };
  const workflow = new Workflow(async (args) => {
    const command = args.find((arg) => ["show", "start"].includes(arg)) as string;
    calls.push(command);
    return command === "show" ? JSON.stringify(shown) : "";
  });
  /** Looks, and starts what is stopped, as often as is allowed. */
  const follow = async () => {
    for (let looks = 0; looks < 1000; looks++) if ((await workflow.progress()).stopped > 0) await workflow.start();
  };
  return { follow, starts: () => calls.filter((call) => call === "start").length };
}

test("a stream that meets a dropped table is started again, but not for ever", async () => {
  const { follow, starts } = withStream("Error", DROPPED);
  await expect(follow()).rejects.toThrow(`The copy to the new shards has failed: ${DROPPED}`);
  expect(starts()).toBe(20);
});

test("so is one that was stopped", async () => {
  const { follow, starts } = withStream("Stopped", "");
  await expect(follow()).rejects.toThrow("The copy to the new shards has stopped again after 20 restarts.");
  expect(starts()).toBe(20);
});

test("one that fails for another reason is not", async () => {
  const { follow, starts } = withStream("Error", "disk full");
  await expect(follow()).rejects.toThrow("The copy to the new shards has failed: disk full");
  expect(starts()).toBe(0);
});

test("one that runs is left alone", async () => {
  const { follow, starts } = withStream("Running", "");
  await follow();
  expect(starts()).toBe(0);
});
