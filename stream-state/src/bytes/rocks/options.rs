//! How RocksDB is tuned: after Kafka Streams' options, but within a given amount of memory.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompactionStyle, DBCompressionType,
    DEFAULT_COLUMN_FAMILY_NAME, LogLevel, LruCacheOptions, Options, WriteOptions,
};

use super::format::OFFSETS;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Memory of one store, shared out.
pub(crate) struct Tuning {
    cache: Cache,
    memtable_bytes: usize,
}

impl Tuning {
    /// Half of the memory for the block cache, which also holds indexes and filters; half for two memtables, one of them being written
    /// out. Below half a MiB RocksDB gets that much all the same: smaller memtables would only make more files.
    pub(crate) fn new(memory_bytes: usize) -> Self {
        let memory_bytes = memory_bytes.max(512 * KIB);
        // One shard: a store has one owner, and a part of a small cache would be too small for some blocks.
        let mut cache = LruCacheOptions::default();
        cache.set_capacity(memory_bytes / 2);
        cache.set_num_shard_bits(0);
        Self { cache: Cache::new_lru_cache_opts(&cache), memtable_bytes: (memory_bytes / 4).clamp(128 * KIB, 16 * MIB) }
    }

    /// The size at which a memtable is written out.
    pub(crate) fn memtable_bytes(&self) -> usize {
        self.memtable_bytes
    }

    pub(crate) fn database(&self, create: bool) -> Options {
        let mut options = self.rows();
        options.create_if_missing(create);
        options.create_missing_column_families(create);
        // Rows and offsets leave their memtables together, so that the files alone are consistent, too.
        options.set_atomic_flush(true);
        options.set_max_total_wal_size((4 * self.memtable_bytes) as u64);
        options.set_avoid_unnecessary_blocking_io(true);
        options.set_max_open_files(256);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(MIB);
        options.set_log_level(LogLevel::Warn);
        options
    }

    pub(crate) fn column_families(&self) -> [ColumnFamilyDescriptor; 2] {
        let mut offsets = Options::default();
        offsets.set_write_buffer_size(64 * KIB);
        offsets.set_compression_type(DBCompressionType::None);
        [ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, self.rows()), ColumnFamilyDescriptor::new(OFFSETS, offsets)]
    }

    /// The write-ahead log on, without sync: see the module above.
    #[expect(clippy::unused_self, reason = "all options come from one place")]
    pub(crate) fn write(&self) -> WriteOptions {
        let mut options = WriteOptions::default();
        options.set_sync(false);
        options.disable_wal(false);
        options
    }

    fn rows(&self) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_block_size(4 * KIB);
        table.set_bloom_filter(10.0, false);
        // Otherwise indexes and filters of a large store would be memory that nobody counts. They are cut into blocks: a filter in one
        // piece can be larger than the cache, and would then be read from the file for every look-up.
        table.set_cache_index_and_filter_blocks(true);
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
        table.set_metadata_block_size(4 * KIB);
        table.set_pin_top_level_index_and_filter(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(self.memtable_bytes);
        options.set_max_write_buffer_number(2);
        options.set_compression_type(DBCompressionType::None);
        options.set_compaction_style(DBCompactionStyle::Universal);
        options
    }
}
