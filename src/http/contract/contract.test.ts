import pino from "pino";
import { createApp } from "../../app.ts";
import { ModelStore } from "../../store/model.ts";
import { describeBatches } from "./batches.ts";
import { describeLists } from "./lists.ts";
import { describeContract } from "./suite.ts";

const app = createApp(new ModelStore(Date.now), {
  ...{ maxValueBytes: 1024 * 1024, bodyTimeoutMs: 10_000, log: pino({ level: "silent" }) },
  ...{ isDraining: () => false, isFull: () => false },
});

const send = async (url: string, init: RequestInit = {}) => app.fetch(new Request(url, init));
describeContract("the model store", "http://kv.test", send);
describeLists("the model store", "http://kv.test", send);
describeBatches("the model store", "http://kv.test", send);
