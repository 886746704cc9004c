// The page: where a browser begins.

import "uplot/dist/uPlot.min.css";
import "./page.css";
import { render } from "preact";
import { App } from "./app.tsx";

render(<App />, document.getElementById("page") as HTMLElement);
