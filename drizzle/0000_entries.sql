CREATE TABLE `entries` (
	`key` varbinary(577) NOT NULL,
	`version` binary(16) NOT NULL,
	`expires_at` bigint,
	`content_type` varchar(255) NOT NULL,
	`metadata` varchar(1024),
	`value` mediumblob NOT NULL,
	CONSTRAINT `entries_key` PRIMARY KEY(`key`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
--> statement-breakpoint
CREATE INDEX `entries_expires_at` ON `entries` (`expires_at`);