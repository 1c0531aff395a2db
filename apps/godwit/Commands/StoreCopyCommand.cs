using System.CommandLine;
using System.Text.Json;
using Godwit.App.Clusters;
using Godwit.App.Stores;
using Godwit.Cli;
using Godwit.Linux.Files;
using Godwit.Store.Etcd;
using Godwit.Store.Sqlite;

namespace Godwit.App.Commands;

/// <summary><c>godwit store copy</c>: the way of a cluster from one server's file to an etcd that several servers share.</summary>
internal static class StoreCopyCommand
{
    public static Command Create(CliEnvironment environment)
    {
        var shared = new HostOptions();
        var from = new Option<string?>("--from") { Description = "The store's file (default server/store.db below --data)", HelpName = "FILE" };
        var to = new EtcdFlags("--to", "The etcd to copy to; a path after the members is what its keys begin with (default /godwit)");
        to.Address.Required = true;
        var force = new Option<bool>("--force") { Description = "Copy into an etcd that holds objects of Godwit already: those that the file has too are replaced, others are kept" };
        var command = new Command("copy", "Copy every object of a stopped server's store to an etcd") { from, to.Address, to.Authority, to.Certificate, to.Key, to.Plain, force, shared.Data };
        Help.Add(
            command,
            [
                ("godwit store copy --to etcd://192.0.2.21:2379,192.0.2.22:2379,192.0.2.23:2379 --store-ca ca.crt --store-cert godwit.crt --store-key godwit.key", "with the server stopped"),
                ("godwit server --store etcd://…", "then goes on from there"),
            ],
            "Nothing is taken from the file. Versions begin anew: clients are told to list again. A copy that broke off is gone on with by --force.");
        command.SetAction(async (parsed, stopping) =>
        {
            var target = to.From(parsed)!;
            var folder = shared.PlacesFrom(parsed).ServerFolder;
            var file = Path.GetFullPath(parsed.GetValue(from) ?? Path.Combine(folder, StoreCommand.StoreFileName));
            if (!File.Exists(file))
            {
                throw new CliException($"There is no store {file}: name it with --from, or the server's folder with --data.", ExitCodes.Usage);
            }

            await environment.Error.WriteLineAsync($"copy: {file} to {target.Address} …");
            await using var source = SqliteRevisionStore.Open(new SqliteStoreOptions(file)); // Refused while a server holds it.
            await using var etcd = await EtcdRevisionStore.OpenAsync(target, stopping);
            var copy = new StoreCopy(source, etcd, progress => environment.Error.WriteLine($"copy: {progress} objects …"), TimeProvider.System);
            var summary = await copy.RunAsync(parsed.GetValue(force), target.Address.ToString(), stopping);
            await environment.Output.WriteLineAsync((GodwitCli.AsksForJson(parsed)
                ? JsonSerializer.Serialize(new StoreCopyResult(file, summary.Revision, summary.Items, summary.Bytes), AppJson.Default.StoreCopyResult)
                : $"copy: {summary.Items} objects, {summary.Bytes / 1e6:0.0} MB, all there and the same; {target.Address} is at version {summary.Revision}").AsMemory(), stopping);
            return ExitCodes.Done;
        });
        return command;
    }
}
