using Microsoft.Data.Sqlite;

namespace Godwit.Store.Sqlite;

/// <summary>One prepared statement: compiled at its first use, kept for the life of its connection.</summary>
internal sealed class PreparedStatement : IDisposable
{
    private readonly SqliteCommand command;

    public PreparedStatement(SqliteConnection connection, string text, params ReadOnlySpan<string> parameters)
    {
        command = connection.CreateCommand();
        command.CommandText = text;
        foreach (var name in parameters)
        {
            command.Parameters.Add(new SqliteParameter { ParameterName = name });
        }
    }

    /// <summary>Runs it with the values in the order of its parameters, and reads rows.</summary>
    public SqliteDataReader Query(params ReadOnlySpan<object> values)
    {
        Bind(values);
        return command.ExecuteReader();
    }

    public void Execute(params ReadOnlySpan<object> values)
    {
        Bind(values);
        command.ExecuteNonQuery();
    }

    public long Number(params ReadOnlySpan<object> values)
    {
        Bind(values);
        return (long)command.ExecuteScalar()!;
    }

    public void Dispose() => command.Dispose();

    private void Bind(ReadOnlySpan<object> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i];
        }
    }
}
