import { defineConfig } from "drizzle-kit";

// Paths are from the project's root, where npm runs drizzle-kit.
export default defineConfig({ dialect: "mysql", schema: "src/database/schema.ts", out: "drizzle" });
