using System.CommandLine;
using System.Text.Json;
using Godwit.App.Clusters;
using Godwit.Cli;
using Godwit.Linux.Files;
using Godwit.Store.Sqlite;

namespace Godwit.App.Commands;

/// <summary><c>godwit store</c>: backups of the control plane's state, and its way to an etcd.</summary>
internal static class StoreCommand
{
    public const string StoreFileName = "store.db";

    public static Command Create(CliEnvironment environment)
    {
        var command = new Command("store", "Back up the control plane's state on this host, restore it, and copy it to an etcd")
        { CreateBackup(environment), CreateRestore(environment), StoreCopyCommand.Create(environment) };
        Help.Add(
            command,
            [
                ("godwit store backup /backup/monday.db", "one state of the store, while the server runs"),
                ("godwit store restore /backup/monday.db", "where there is no store: after a loss, with the server stopped"),
                ("godwit store copy --to etcd://192.0.2.21:2379 --store-ca ca.crt", "when one server is to become several"),
            ]);
        return command;
    }

    private static Command CreateBackup(CliEnvironment environment)
    {
        var shared = new HostOptions();
        var file = new Argument<string>("FILE") { Description = "The file to make; an existing one is never written over" };
        var command = new Command("backup", "Write the state of the store to a file, while the server runs or not") { file, shared.Data };
        Help.Add(
            command,
            [("godwit store backup /backup/monday.db", "whole and checked when the command ends")],
            "The file holds every object, secrets too: only its owner can read it. Keep server/pki below --data with it: the cluster's authority is not in the store.");
        command.SetAction((parsed, stopping) => RunAsync(environment, parsed, "backup", parsed.GetValue(file)!, backup => SqliteBackup.Write(StorePath(shared, parsed), backup), stopping));
        return command;
    }

    private static Command CreateRestore(CliEnvironment environment)
    {
        var shared = new HostOptions();
        var file = new Argument<string>("FILE") { Description = "A file that 'godwit store backup' made" };
        var command = new Command("restore", "Make the store out of a backup, where there is none") { file, shared.Data };
        Help.Add(
            command,
            [("godwit store restore /backup/monday.db", "checks the backup row by row first")],
            "An existing store is never written over: stop the server and move server/store.db* below --data away first. Clients that had seen newer versions are told to list again.");
        command.SetAction((parsed, stopping) => RunAsync(environment, parsed, "restore", parsed.GetValue(file)!, backup =>
        {
            var target = StorePath(shared, parsed);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var summary = SqliteBackup.Restore(backup, target);
            DurableFile.SyncFolder(Path.GetDirectoryName(target)!);
            return summary;
        }, stopping));
        return command;
    }

    private static string StorePath(HostOptions shared, ParseResult parsed) => Path.GetFullPath(Path.Combine(shared.PlacesFrom(parsed).ServerFolder, StoreFileName));

    private static async Task<int> RunAsync(CliEnvironment environment, ParseResult parsed, string verb, string file, Func<string, BackupSummary> act, CancellationToken stopping)
    {
        var json = GodwitCli.AsksForJson(parsed);
        var path = Path.GetFullPath(file);
        await environment.Error.WriteLineAsync($"{verb}: {path} …");
        var summary = await Task.Run(() => act(path), stopping);
        if (verb == "backup")
        {
            DurableFile.SyncFolder(Path.GetDirectoryName(path)!);
        }

        await environment.Output.WriteLineAsync((json
            ? JsonSerializer.Serialize(new StoreCopyResult(path, summary.Revision, summary.Items, summary.Bytes), AppJson.Default.StoreCopyResult)
            : $"{verb}: {summary.Items} objects at version {summary.Revision}, {summary.Bytes / 1e6:0.0} MB").AsMemory(), stopping);
        return ExitCodes.Done;
    }
}

/// <summary>What was copied, for programs.</summary>
/// <param name="File">The backup.</param>
/// <param name="Revision">The version of the store that the result shows.</param>
/// <param name="Items">Objects in it.</param>
/// <param name="Bytes">Size of the result.</param>
internal sealed record StoreCopyResult(string File, long Revision, long Items, long Bytes);
